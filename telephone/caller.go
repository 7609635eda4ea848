package telephone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Caller is what a person on the telephone does, played by SIPp.
type Caller struct {
	Press []Press
	// HangUp is when the caller hangs up, counted from the answer. 0 waits to be
	// handed over to Number.
	HangUp time.Duration
	Number string
	Calls  int // at once; 0 is one
}

// Press is keys pressed one after another, the first so long after the answer.
type Press struct {
	At   time.Duration
	Keys string
}

const (
	keyTime  = 80 * time.Millisecond  // a key is held
	keyEvery = 200 * time.Millisecond // from one key to the next
)

// Place calls the gateway and returns when SIPp is content: every call was
// answered and ended as it had to.
func (c Caller) Place(ctx context.Context, g *Gateway, dir string) error {
	keys, scenario := filepath.Join(dir, "keys.pcap"), filepath.Join(dir, "call.xml")
	if err := os.WriteFile(keys, pcap(c.Press), 0o600); err != nil {
		return err
	}
	var text strings.Builder
	err := callTemplate.Execute(&text, map[string]any{"Keys": keys, "Pause": c.first().Milliseconds(), "Any": len(c.Press) > 0,
		"HangUp": (c.HangUp - c.first()).Milliseconds(), "Leaves": c.HangUp > 0, "Number": c.Number})
	if err != nil {
		return err
	}
	if err := os.WriteFile(scenario, []byte(text.String()), 0o600); err != nil {
		return err
	}
	mediaPort, err := freePort(ctx)
	if err != nil {
		return err
	}
	calls := strconv.Itoa(max(c.Calls, 1))
	args := []string{"sipp", g.address, "-sf", scenario, "-m", calls, "-l", calls, "-r", calls, "-i", "127.0.0.1",
		"-mi", "127.0.0.1", "-mp", mediaPort, "-timeout", "50s", "-timeout_error", "-nostdin", "-trace_err", "-error_file", filepath.Join(dir, "errors.log")}
	if os.Geteuid() != 0 { // SIPp plays captured packets through a raw socket
		args = append([]string{"sudo", "-n"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		why, _ := os.ReadFile(filepath.Join(dir, "errors.log"))
		return fmt.Errorf("sipp: %w: %s\n%s", err, why, tail(out, 1500))
	}
	return nil
}

func (c Caller) first() time.Duration {
	if len(c.Press) == 0 {
		return 0
	}
	return c.Press[0].At
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// mediaPorts is what SIPp binds: audio and video, each with its control port.
const mediaPorts = 4

// freePort returns an even port that is free with those above it. It is below
// what the kernel gives to others, so that it is free still when SIPp binds it.
func freePort(ctx context.Context) (string, error) {
	for range 100 {
		port := 12_000 + 2*rand.IntN(8_000)
		if bindable(ctx, port) {
			return strconv.Itoa(port), nil
		}
	}
	return "", errors.New("no free port for the media")
}

func bindable(ctx context.Context, port int) bool {
	for i := range mediaPorts {
		probe, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp4", fmt.Sprintf("127.0.0.1:%d", port+i))
		if err != nil {
			return false
		}
		defer func() { _ = probe.Close() }()
	}
	return true
}

// pcap is a capture of RTP with the keys as telephone events (RFC 4733): one
// source, with sequence numbers and timestamps that rise from key to key.
// Addresses and ports are SIPp's to fill in.
func pcap(presses []Press) []byte {
	var b bytes.Buffer
	header := []any{uint32(0xa1b2c3d4), uint16(2), uint16(4), int32(0), uint32(0), uint32(65535), uint32(1 /* Ethernet */)}
	for _, v := range header {
		_ = binary.Write(&b, binary.LittleEndian, v) // a bytes.Buffer takes everything
	}
	seq := uint16(1)
	for _, press := range presses {
		for i, key := range press.Keys {
			at := press.At + time.Duration(i)*keyEvery
			seq = writeKey(&b, at, byte(strings.IndexRune(eventKeys, key)), seq)
		}
	}
	return b.Bytes()
}

// eventKeys are the keys in the order of their event codes.
const eventKeys = "0123456789*#"

const frame = 20 * time.Millisecond

// writeKey writes the packets of one key: an update each frame, and the end
// three times, as it may be lost.
func writeKey(b *bytes.Buffer, at time.Duration, event byte, seq uint16) uint16 {
	updates := int(keyTime / frame)
	timestamp := uint32(8000 + at.Milliseconds()*8)
	for i := range updates + 3 {
		end := byte(0)
		if i >= updates {
			end = 0x80
		}
		duration := uint16(min(i+1, updates) * int(frame.Milliseconds()) * 8)
		marker := byte(0)
		if i == 0 {
			marker = 0x80
		}
		rtp := []byte{0x80, marker | 101}
		rtp = binary.BigEndian.AppendUint16(rtp, seq)
		rtp = binary.BigEndian.AppendUint32(rtp, timestamp)
		rtp = binary.BigEndian.AppendUint32(rtp, 0x47_4b_00_01)
		rtp = append(rtp, event, end|10)
		rtp = binary.BigEndian.AppendUint16(rtp, duration)
		writePacket(b, at+time.Duration(i)*frame, rtp)
		seq++
	}
	return seq
}

// writePacket wraps RTP in UDP, IPv4, Ethernet and a record of the capture.
func writePacket(b *bytes.Buffer, at time.Duration, rtp []byte) {
	udp := binary.BigEndian.AppendUint16([]byte{0x40, 0, 0x40, 0}, uint16(8+len(rtp)))
	udp = append(append(udp, 0, 0), rtp...)
	ip := []byte{0x45, 0, 0, byte(20 + len(udp)), 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	packet := append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, append(ip, udp...)...)
	for _, v := range []uint32{uint32(at / time.Second), uint32(at % time.Second / time.Microsecond), uint32(len(packet)), uint32(len(packet))} {
		_ = binary.Write(b, binary.LittleEndian, v) // likewise
	}
	b.Write(packet)
}

// callTemplate is the scenario. The caller accepts being handed over to the
// number, reports that it was taken there, and waits to be released.
var callTemplate = template.Must(template.New("call").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a call to the hotline">
<send retrans="500"><![CDATA[
INVITE sip:hotline@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:0515888[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:hotline@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:0515888[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:hotline@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
{{if .Any}}<pause milliseconds="{{.Pause}}"/>
<nop><action><exec play_pcap_audio="{{.Keys}}"/></action></nop>
{{end}}{{if .Leaves}}<pause milliseconds="{{.HangUp}}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:0515888[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:hotline@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
{{else}}<recv request="REFER"><action>
<ereg regexp="sip:{{.Number}}@" search_in="hdr" header="Refer-To:" check_it="true" assign_to="1"/>
<log message="referred to [$1]"/>
</action></recv>
<send><![CDATA[
SIP/2.0 202 Accepted
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:caller@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
NOTIFY [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:0515888[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:hotline@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 3 NOTIFY
Max-Forwards: 70
Event: refer
Subscription-State: terminated;reason=noresource
Contact: <sip:caller@[local_ip]:[local_port]>
Content-Type: message/sipfrag;version=2.0
Content-Length: [len]

SIP/2.0 200 OK
]]></send>
<recv response="200"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
{{end}}</scenario>
`))
