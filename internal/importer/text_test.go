package importer

import (
	"strings"
	"testing"

	"gongkai/internal/disclosure"
)

// The texts follow the forms in which such notices appear (财办库〔2020〕50号 and
// the standard tender documents); names and numbers are made up.
const (
	purchaseText = `亭湖区某小学食堂设备采购项目招标公告

项目概况
亭湖区某小学食堂设备采购项目的潜在投标人应在亭湖区公共资源交易平台获取招标文件，并于2026年12月18日 09点30分（北京时间）前递交投标文件。
一、项目基本情况
项目编号：TH2026-ZFCG-0018
项目名称：亭湖区某小学食堂设备采购项目
预算金额：128.5万元
最高限价（如有）：1280000元
合同履行期限：合同签订后30日内
本项目（不接受）联合体投标。
本项目不接受联合体投标。
三、获取招标文件
时间：2026年11月24日至2026年11月30日
获取招标文件的时间：2026年11月24日至11月30日，每天上午9:00至11:30
四、提交投标文件截止时间、开标时间和地点
提交投标文件截止时间：2026年12月18日09点30分（北京时间）
开标时间：2026年12月18日上午9时30分
开标地点：亭湖区公共资源交易中心第一开标室
七、凡对本次采购提出询问，请按以下方式联系。
1.采购人信息
名 称：亭湖区财政局
地 址：盐城市亭湖区示范路1号
联系方式：0515-88880001
2.采购代理机构信息
名 称：盐城示例工程咨询有限公司
地 址：盐城市亭湖区示范路3号
联系方式：0515-88880003
3.项目联系方式
项目联系人：张工
电 话：0515-88880003`

	awardText = `亭湖区某小学食堂设备采购项目中标公告
一、项目编号：TH2026-ZFCG-0018（招标文件编号：TH2026-ZFCG-0018）
二、项目名称：亭湖区某小学食堂设备采购项目
三、中标（成交）信息
供应商名称：江苏示例厨具有限公司　供应商地址：盐城市亭湖区样例路8号　中标（成交）金额：118.8000000（万元）
五、评审专家（单一来源采购人员）名单：王某、李某
六、代理服务收费标准及金额：按规定收取
联系人身份证号：320902199001010006`

	tenderText = `示范道路改造工程施工
招标公告
1. 招标条件
本招标项目示范道路改造工程（项目名称）已由亭湖区发展和改革委员会批准建设，招标人为亭湖区示范建设有限公司，建设资金来自财政资金，现对施工进行公开招标。
2. 项目概况
建设地点：盐城市亭湖区示范路；工期要求：180日历天；最高投标限价（元）：12,800,000.00
4.1 投标保证金金额为人民币20万元。
5.1 投标文件递交的截止时间（投标截止时间，下同）为2027年1月7日9时30分，地点为亭湖区公共资源交易中心。
5.2 合同估算价：约1300万元
监督电话：0515-88880002
中标人：详见中标结果公告`
)

// TestFromText: what the text says is proposed with the words it was taken from,
// what it does not say stays empty.
func TestFromText(t *testing.T) {
	c := catalogue(t)
	for _, tt := range []struct {
		name, text, typ string
		want            map[string]string // by path; all that is proposed
	}{
		{"a purchase", purchaseText, "procurement.tender_notice", map[string]string{
			"project.code": `"TH2026-ZFCG-0018"`, "project.name": `"亭湖区某小学食堂设备采购项目"`, "body": `"finance-bureau"`,
			"fields.purchaser": `"亭湖区财政局"`, "fields.purchaser_address": `"盐城市亭湖区示范路1号"`, "fields.agency": `"盐城示例工程咨询有限公司"`, "fields.agency_address": `"盐城市亭湖区示范路3号"`,
			"fields.budget_amount": `"1285000.00"`, "fields.control_price": `"1280000.00"`, "fields.contract_term": `"合同签订后30日内"`,
			"fields.consortium_accepted": "false", "fields.document_period": `{"from":"2026-11-24","to":"2026-11-30"}`,
			"fields.bid_deadline": `"2026-12-18T09:30:00+08:00"`, "fields.opening_at": `"2026-12-18T09:30:00+08:00"`,
			"fields.opening_place": `"亭湖区公共资源交易中心第一开标室"`, "fields.contact": `"张工"`, "fields.contact_phone": `"0515-88880001"`, "fields.agency_phone": `"0515-88880003"`,
		}},
		{"an award", awardText, "procurement.award_result", map[string]string{
			"project.code": `"TH2026-ZFCG-0018"`, "project.name": `"亭湖区某小学食堂设备采购项目"`,
			"fields.winner": `"江苏示例厨具有限公司"`, "fields.winner_address": `"盐城市亭湖区样例路8号"`, "fields.award_price": `"1188000.00"`,
		}},
		{"a construction tender in sentences", tenderText, "construction.tender_notice", map[string]string{
			"project.name": `"示范道路改造工程"`, "fields.tenderer": `"亭湖区示范建设有限公司"`, "fields.construction_place": `"盐城市亭湖区示范路"`, "fields.duration": "180",
			"fields.control_price": `"12800000.00"`, "fields.bid_bond": `"200000.00"`, "fields.bid_deadline": `"2027-01-07T09:30:00+08:00"`,
			"fields.supervision_phone": `"0515-88880002"`,
		}},
		{"nothing to be had", "关于召开工作会议的通知\n请准时参加。", "", nil},
		{"a title alone", "某项目合同采购公告", "procurement.contract", map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := FromText(c, "", []byte(tt.text))
			if tt.want == nil {
				if err == nil {
					t.Fatalf("proposed %+v", p)
				}
				return
			}
			if err != nil || p.Draft.Type != tt.typ {
				t.Fatalf("type %s, %v, want %s", p.Draft.Type, err, tt.typ)
			}
			got := map[string]bool{}
			for _, f := range p.Found {
				got[f.Key] = true
				if want, ok := tt.want[f.Key]; !ok || string(f.Value) != want {
					t.Errorf("%s = %s (from %s), want %s", f.Key, f.Value, f.Evidence, want)
				}
				if f.Evidence == "" || f.Display == "" || strings.Contains(f.Evidence, "19900101") {
					t.Errorf("%s: display %q, evidence %q", f.Key, f.Display, f.Evidence)
				}
			}
			for key := range tt.want {
				if !got[key] {
					t.Errorf("%s was not found", key)
				}
			}
			if _, err := p.Draft.Content(c, disclosure.References{}); err != nil && strings.Contains(err.Error(), "fields.") {
				t.Errorf("the proposal is no draft: %v", err)
			}
		})
	}
}
