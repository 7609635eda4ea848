package wechatsim

// userAnswer is what an official account learns of a person.
type userAnswer struct {
	Subscribe int    `json:"subscribe"`
	OpenID    string `json:"openid"`
	Language  string `json:"language,omitempty"`
	Time      int64  `json:"subscribe_time,omitempty"`
	UnionID   string `json:"unionid,omitempty"`
	Remark    string `json:"remark"`
	Group     int    `json:"groupid"`
	Tags      []int  `json:"tagid_list"`
	By        string `json:"subscribe_scene,omitempty"`
	Scene     int    `json:"qr_scene"`
	SceneText string `json:"qr_scene_str"`
}

func (st *standing) answer() userAnswer {
	if !st.following {
		return userAnswer{OpenID: st.openID, Tags: []int{}}
	}
	by := "ADD_SCENE_SEARCH"
	if st.scene != "" {
		by = "ADD_SCENE_QR_CODE"
	}
	return userAnswer{Subscribe: 1, OpenID: st.openID, Language: "zh_CN", Time: st.followedAt.Unix(), UnionID: st.person.unionID,
		Tags: []int{}, By: by, SceneText: st.scene}
}

// userInfo is GET /cgi-bin/user/info.
func userInfo(s *Sim, c *call) outcome {
	openID := c.query.Get("openid")
	if openID == "" {
		return failed(41009)
	}
	st, err := s.addressee(c.account, openID)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{value: st.answer()}
}

// userInfos is POST /cgi-bin/user/info/batchget, up to 100 at once.
func userInfos(s *Sim, c *call) outcome {
	var in struct {
		List []struct {
			OpenID string `json:"openid"`
		} `json:"user_list"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if len(in.List) < 1 || len(in.List) > 100 {
		return outcome{err: refuseAs(40032, "invalid openid list size")}
	}
	out := struct {
		List []userAnswer `json:"user_info_list"`
	}{}
	for _, who := range in.List {
		st, err := s.addressee(c.account, who.OpenID)
		if err != nil {
			return outcome{err: err}
		}
		out.List = append(out.List, st.answer())
	}
	return outcome{value: out}
}

const followersPage = 10_000

// userList is GET /cgi-bin/user/get: the followers, 10,000 at a time.
func userList(s *Sim, c *call) outcome {
	type data struct {
		OpenIDs []string `json:"openid"`
	}
	out := struct {
		Total int    `json:"total"`
		Count int    `json:"count"`
		Data  *data  `json:"data,omitempty"`
		Next  string `json:"next_openid"`
	}{}
	after, found := c.query.Get("next_openid"), false
	var page data
	for _, p := range s.people {
		st := p.standing[c.account]
		if st.openID == after {
			found = true
			continue
		}
		if !st.following {
			continue
		}
		out.Total++
		if (after == "" || found) && len(page.OpenIDs) < followersPage {
			page.OpenIDs = append(page.OpenIDs, st.openID)
			out.Next = st.openID
		}
	}
	if after != "" && !found {
		return failed(40003)
	}
	if out.Count = len(page.OpenIDs); out.Count > 0 {
		out.Data = &page
	}
	return outcome{value: out}
}
