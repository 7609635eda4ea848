package handlers

import (
	"encoding/binary"
	"errors"
	"math"
)

const (
	lineRate  = 8000 // samples a second of a telephone line
	wavHeader = 44
)

var errWAV = errors.New("handlers: the voice did not return a WAV file of 16-bit PCM")

// lineWAV turns a WAV file of 16-bit PCM, of any rate and number of channels,
// into one of 8 kHz mono, which every telephone engine plays as it is.
func lineWAV(data []byte) ([]byte, error) {
	samples, rate, err := readWAV(data)
	if err != nil {
		return nil, err
	}
	samples = resample(samples, rate)
	out := make([]byte, wavHeader+2*len(samples))
	copy(out, "RIFF")
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	copy(out[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(out[16:], 16)
	binary.LittleEndian.PutUint16(out[20:], 1) // PCM
	binary.LittleEndian.PutUint16(out[22:], 1) // mono
	binary.LittleEndian.PutUint32(out[24:], lineRate)
	binary.LittleEndian.PutUint32(out[28:], 2*lineRate)
	binary.LittleEndian.PutUint16(out[32:], 2)
	binary.LittleEndian.PutUint16(out[34:], 16)
	copy(out[36:], "data")
	binary.LittleEndian.PutUint32(out[40:], uint32(2*len(samples)))
	for i, s := range samples {
		binary.LittleEndian.PutUint16(out[wavHeader+2*i:], uint16(int16(max(-32768, min(32767, math.Round(s))))))
	}
	return out, nil
}

// readWAV returns the samples, channels mixed, and their rate. Streamed files
// have no true length in their data chunk: the rest of the file is taken.
func readWAV(data []byte) (samples []float64, rate int, err error) {
	if len(data) < wavHeader || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return nil, 0, errWAV
	}
	channels := 0
	for at := 12; at+8 <= len(data); {
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		body := data[at+8:]
		if size < 0 || size > len(body) {
			size = len(body)
		}
		body = body[:size]
		switch string(data[at : at+4]) {
		case "fmt ":
			if size < 16 || binary.LittleEndian.Uint16(body) != 1 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, 0, errWAV
			}
			channels, rate = int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			if channels < 1 || channels > 8 || rate < 4000 || rate > 192_000 {
				return nil, 0, errWAV
			}
			frame := 2 * channels
			for i := 0; i+frame <= len(body); i += frame {
				sum := 0.0
				for ch := range channels {
					sum += float64(int16(binary.LittleEndian.Uint16(body[i+2*ch:])))
				}
				samples = append(samples, sum/float64(channels))
			}
			return samples, rate, nil
		}
		at += 8 + size + size%2
	}
	return nil, 0, errWAV
}

// resample brings samples to lineRate through a windowed sinc filter, which
// keeps what a line of 8 kHz cannot carry from folding into the voice.
func resample(in []float64, rate int) []float64 {
	if rate == lineRate || len(in) == 0 {
		return in
	}
	const taps = 16 // zero crossings on either side
	ratio := float64(rate) / lineRate
	cutoff := min(1, 1/ratio) * 0.92
	half := taps / cutoff
	out := make([]float64, int(float64(len(in))/ratio))
	for i := range out {
		centre := float64(i) * ratio
		sum, weight := 0.0, 0.0
		for j := max(0, int(centre-half)+1); j <= min(len(in)-1, int(centre+half)); j++ {
			x := float64(j) - centre
			w := cutoff * sinc(cutoff*x) * (0.5 + 0.5*math.Cos(math.Pi*x/half))
			sum, weight = sum+in[j]*w, weight+w
		}
		if weight != 0 {
			out[i] = sum / weight
		}
	}
	return out
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
