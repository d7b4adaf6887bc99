//! etcd, by its HTTP endpoints and by etcdctl with the v3 API.
//!
//! Shapes seen on etcd 2.3.8, 3.0.17, 3.4.23 and 3.5.1. Member ids are 64 bits without a sign: decimal in v3's JSON, hex
//! without padding everywhere else, and kept as that hex.

use serde_json::Value;

use super::{Section, json, tidy};
use crate::model::Facts;
use crate::model::facts::{Etcd, Member};

fn etcd(facts: &mut Facts) -> &mut Etcd {
    facts.etcd.get_or_insert_default()
}

/// `etcd --version`: the first line is `etcd Version: 3.4.23`. No binary is no complaint: it may run in a container.
pub(super) fn on_disk(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if let Some(version) = section.text.lines().find_map(|line| line.strip_prefix("etcd Version: ")) {
        etcd(facts).on_disk = Some(tidy(version));
    }
    Ok(())
}

/// Where the process that runs says that it answers; asked only where nobody has given an endpoint.
pub(super) fn found(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    etcd(facts).endpoint = Some(tidy(&section.text)).filter(|endpoint| !endpoint.is_empty());
    Ok(())
}

/// What curl ends with where somebody answers and TLS does not come about: `CURLE_SSL_CONNECT_ERROR`,
/// `CURLE_GOT_NOTHING`, `CURLE_RECV_ERROR`, and those of certificates, keys and authorities.
const NO_TLS: [i32; 8] = [35, 52, 56, 58, 59, 60, 77, 83];

/// `GET /version`. That nobody answers is a fact: there is no healthy member here.
pub(super) fn version(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status == 127 {
        return Err("neither curl nor wget is on this host, so its member cannot be asked".into());
    }
    if NO_TLS.contains(&section.status) {
        let at = etcd(facts).endpoint.clone().unwrap_or_else(|| "its endpoint".into());
        return Err(format!(
            "something answers at {at} and TLS does not come about (curl {}): set etcd_endpoint, etcd_cacert, etcd_cert and \
             etcd_key in the inventory",
            section.status
        ));
    }
    if section.status != 0 || section.text.trim().is_empty() {
        etcd(facts).healthy = Some(false);
        return Ok(());
    }
    let body = json(section)?;
    let field = |key: &str| body[key].as_str().map(tidy);
    let etcd = etcd(facts);
    etcd.server = Some(field("etcdserver").ok_or("no etcdserver in it")?);
    // Before the members have agreed it says `not_decided`.
    etcd.cluster = field("etcdcluster").filter(|version| version != "not_decided");
    Ok(())
}

/// `GET /health`: `health` is a string, and comes with 503 where it is `false`.
pub(super) fn health(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        etcd(facts).healthy = Some(false);
        return Ok(());
    }
    let body = json(section)?;
    etcd(facts).healthy = Some(match body["health"].as_str() {
        Some("true") => true,
        Some("false") => false,
        _ => return Err("`health` is neither \"true\" nor \"false\"".into()),
    });
    Ok(())
}

/// `GET /v2/members`. etcd without the v2 API answers 404, which is no complaint.
pub(super) fn v2_members(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if let Ok(body) = json(section)
        && let Some(members) = body["members"].as_array()
    {
        etcd(facts).members = Some(members.iter().map(|member| read_member(member, "id")).collect::<Result<_, _>>()?);
    }
    Ok(())
}

/// `GET /v2/stats/self`.
pub(super) fn v2_self(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let Ok(body) = json(section) else { return Ok(()) };
    let etcd = etcd(facts);
    etcd.id = body["id"].as_str().map(tidy);
    etcd.name = body["name"].as_str().map(tidy);
    etcd.leader = match body["state"].as_str() {
        Some("StateLeader") => Some(true),
        Some("StateFollower" | "StateCandidate") => Some(false),
        _ => None,
    };
    Ok(())
}

/// `endpoint status -w json` of one endpoint. Fields that are zero are left out: no `leader` is no leader.
pub(super) fn v3_status(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    let status = &body[0]["Status"];
    let id = status["header"]["member_id"].as_u64().ok_or("no member_id in it")?;
    read_status(facts, id, status["leader"].as_u64(), |key| status[key].as_i64());
    Ok(())
}

/// What the v3 API says of a member, however it writes its numbers.
fn read_status(facts: &mut Facts, id: u64, leader: Option<u64>, count: impl Fn(&str) -> Option<i64>) {
    let etcd = etcd(facts);
    etcd.id = Some(format!("{id:x}"));
    etcd.leader = Some(leader == Some(id));
    etcd.raft_index = count("raftAppliedIndex").or_else(|| count("raftIndex"));
    etcd.raft_term = count("raftTerm");
    etcd.db_bytes = count("dbSize");
}

/// `member list -w json`: the key of the id is `ID` there.
pub(super) fn v3_members(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    let members = body["members"].as_array().ok_or("no members in it")?;
    etcd(facts).members = Some(members.iter().map(|member| read_member(member, "ID")).collect::<Result<_, _>>()?);
    Ok(())
}

fn read_member(member: &Value, key: &str) -> Result<Member, String> {
    let id = match &member[key] {
        // The gateway writes whole numbers of 64 bits as decimal strings; the v2 API has ids in hex.
        Value::String(number) if key == "ID" => {
            format!("{:x}", number.parse::<u64>().map_err(|_| "a member id is no whole number")?)
        }
        Value::String(hex) => tidy(hex),
        Value::Number(number) => format!("{:x}", number.as_u64().ok_or("a member id is no whole number")?),
        _ => return Err("a member without an id".into()),
    };
    let urls = |key: &str| member[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(tidy).collect();
    Ok(Member {
        id,
        name: member["name"].as_str().map(tidy).unwrap_or_default(),
        peer_urls: urls("peerURLs"),
        client_urls: urls("clientURLs"),
        learner: member["isLearner"].as_bool().unwrap_or_default(),
    })
}

/// `alarm list`: a line an alarm, `memberID:N alarm:NOSPACE`.
pub(super) fn v3_alarms(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Ok(());
    }
    let alarms: Option<Vec<String>> = section
        .text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Some(tidy(line.split_once("alarm:")?.1)))
        .collect();
    etcd(facts).alarms = Some(alarms.ok_or("a line that names no alarm")?);
    Ok(())
}

/// `POST /v3/maintenance/status` of the gRPC gateway, whose whole numbers are strings.
pub(super) fn gateway_status(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    let number = |value: &Value| value.as_str().and_then(|number| number.parse::<u64>().ok());
    let count = |key: &str| number(&body[key]).and_then(|number| i64::try_from(number).ok());
    let id = number(&body["header"]["member_id"]).ok_or("no member_id in it")?;
    read_status(facts, id, number(&body["leader"]), count);
    Ok(())
}

/// `POST /v3/maintenance/alarm` of the gateway: no `alarms` in it where none is raised: 3.4.23 then
/// answers `{}`, 3.5.1 a header alone.
pub(super) fn gateway_alarms(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    let body = body.as_object().ok_or("not an object")?;
    if body.keys().any(|key| key != "header" && key != "alarms") {
        return Err("something else than alarms in it".into());
    }
    let alarms = match body.get("alarms") {
        Some(alarms) => alarms.as_array().ok_or("`alarms` is no list")?.iter(),
        None => [].iter(),
    };
    let names: Option<Vec<String>> = alarms.map(|alarm| alarm["alarm"].as_str().map(tidy)).collect();
    etcd(facts).alarms = Some(names.ok_or("an alarm without a name")?);
    Ok(())
}

/// What follows from several sections together: the member's own name, from its id.
pub(super) fn finish(facts: &mut Facts) {
    let Some(etcd) = &mut facts.etcd else { return };
    if etcd.name.is_none() {
        let own = etcd.members.iter().flatten().find(|member| Some(&member.id) == etcd.id.as_ref());
        etcd.name = own.map(|member| member.name.clone());
    }
}

#[cfg(test)]
mod tests {
    use crate::model::facts::Etcd;
    use crate::probe::facts as parse;

    fn told(sections: &[(&str, i32, &str)]) -> Etcd {
        let mut output = String::new();
        for (name, status, text) in sections {
            output += &format!("@{name} {status} \n");
            output.extend(text.lines().map(|line| format!(" {line}\n")));
        }
        let facts = parse(&(output + "@end 0 \n"));
        assert_eq!(facts.problems, [""; 0]);
        facts.etcd.unwrap()
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/etcd/", $name))
        };
    }

    #[test]
    fn a_real_member_of_3_4() {
        let etcd = told(&[
            ("etcd-version", 0, fixture!("etcd-3.4.23-version.json")),
            ("etcd-health", 0, fixture!("etcd-3.4.23-health.json")),
            ("etcd-members", 0, fixture!("etcd-3.4.23-v2-members.json")),
            ("etcd-self", 0, fixture!("etcd-3.4.23-v2-stats-self-leader.json")),
            ("etcd3-status", 0, fixture!("etcdctl-3.4.23-endpoint-status.json")),
            ("etcd3-members", 0, fixture!("etcdctl-3.4.23-member-list.json")),
            ("etcd3-alarms", 0, fixture!("etcdctl-3.4.23-alarm-list-none.txt")),
        ]);
        assert_eq!((etcd.server.as_deref(), etcd.cluster.as_deref()), (Some("3.4.23"), Some("3.4.0")));
        assert_eq!((etcd.healthy, etcd.leader), (Some(true), Some(true)));
        assert_eq!(etcd.id.as_deref(), Some("6e35d53f0b31819a"), "decimal and hex are the same id");
        assert_eq!(etcd.raft_index, Some(19));
        let members = etcd.members.unwrap();
        assert_eq!(
            members.iter().map(|member| member.id.as_str()).collect::<Vec<_>>(),
            ["6e35d53f0b31819a", "e86ecedadb495f9e", "ec4fcfaf71d3f008"]
        );
        assert_eq!(etcd.alarms, Some(vec![]));
    }

    #[test]
    fn a_real_member_of_3_5_beside_older_ones_and_with_an_alarm() {
        let etcd = told(&[
            ("etcd-version", 0, fixture!("etcd-3.5.1-version-mixed.json")),
            ("etcd-health", 0, fixture!("etcd-3.5.1-health-nospace.json")),
            ("etcd3-alarms", 0, fixture!("etcdctl-3.5.1-alarm-list-nospace.txt")),
        ]);
        assert_eq!((etcd.server.as_deref(), etcd.cluster.as_deref()), (Some("3.5.1"), Some("3.4.0")));
        assert_eq!(etcd.alarms.unwrap(), ["NOSPACE", "NOSPACE"]);
    }

    #[test]
    fn a_member_of_2_3_says_it_with_a_space() {
        let etcd = told(&[
            ("etcd-version", 0, r#"{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}"#),
            ("etcd-health", 0, r#"{"health": "true"}"#),
            ("etcd-self", 0, r#"{"name":"etcd3","id":"628170c800dbcee","state":"StateFollower"}"#),
        ]);
        assert_eq!((etcd.healthy, etcd.leader, etcd.id.as_deref()), (Some(true), Some(false), Some("628170c800dbcee")));
    }

    #[test]
    fn no_answer_and_half_an_answer_are_not_healthy() {
        assert_eq!(told(&[("etcd-version", 7, "")]).healthy, Some(false));
        assert_eq!(told(&[("etcd-version", 28, "")]).healthy, Some(false));
        let undecided = told(&[("etcd-version", 0, r#"{"etcdserver":"3.0.17","etcdcluster":"not_decided"}"#)]);
        assert_eq!(undecided.cluster, None);
    }

    #[test]
    fn the_gateway_of_real_members() {
        for (version, members, none, leader, follower) in [
            (
                "3.4",
                fixture!("etcd-3.4.23-gateway-members.json"),
                fixture!("etcd-3.4.23-gateway-alarms-none.json"),
                fixture!("etcd-3.4.23-gateway-status-leader.json"),
                fixture!("etcd-3.4.23-gateway-status-follower.json"),
            ),
            (
                "3.5",
                fixture!("etcd-3.5.1-gateway-members.json"),
                fixture!("etcd-3.5.1-gateway-alarms-none.json"),
                fixture!("etcd-3.5.1-gateway-status-leader.json"),
                fixture!("etcd-3.5.1-gateway-status-follower.json"),
            ),
        ] {
            let asked = |status| {
                told(&[
                    ("etcd-gateway-status", 0, status),
                    ("etcd-gateway-members", 0, members),
                    ("etcd-gateway-alarms", 0, none),
                ])
            };
            let etcd = asked(leader);
            assert_eq!((etcd.id.as_deref(), etcd.leader), (Some("6e35d53f0b31819a"), Some(true)), "{version}");
            assert_eq!((etcd.name.as_deref(), etcd.db_bytes), (Some("lab1"), Some(20480)), "{version}");
            assert_eq!(etcd.alarms, Some(vec![]), "{version}");
            assert_eq!(etcd.members.unwrap()[2].client_urls, ["http://10.99.47.12:2379"]);
            let etcd = asked(follower);
            assert_eq!((etcd.name.as_deref(), etcd.leader), (Some("lab3"), Some(false)), "{version}");
            assert!(etcd.raft_index.is_some() && etcd.raft_term.is_some(), "{version}");
        }
    }

    #[test]
    fn the_gateway_without_a_quorum_and_with_alarms() {
        for status in [
            fixture!("etcd-3.4.23-gateway-status-no-quorum.json"),
            fixture!("etcd-3.5.1-gateway-status-no-quorum.json"),
        ] {
            assert_eq!(told(&[("etcd-gateway-status", 0, status)]).leader, Some(false));
        }
        let etcd = told(&[("etcd-gateway-alarms", 0, fixture!("etcd-3.5.1-gateway-alarms-nospace.json"))]);
        assert_eq!(etcd.alarms.unwrap(), ["NOSPACE", "NOSPACE", "NOSPACE"]);
        for other in [r#"{"error":"not found","code":5}"#, "[]", r#"{"alarms":"none"}"#] {
            let facts = parse(&format!("@etcd-gateway-alarms 0 \n {other}\n@end 0 \n"));
            assert!(facts.etcd.is_none() && facts.problems.len() == 1, "{other} is taken for no alarms");
        }
    }

    #[test]
    fn what_is_no_json_is_a_problem_and_no_fact() {
        let facts = parse("@etcd-version 0 \n <html>\u{1b}[31m\n@end 0 \n");
        assert_eq!(facts.etcd, None);
        assert!(facts.problems[0].starts_with("etcd-version: not JSON"), "{:?}", facts.problems);
    }

    /// What the script's own `on_disk` tells where a unit of this name runs with this environment, and `etcd2` lies beside it.
    fn on_disk_beside_etcd2(running: &str, program: &str, environment: &str) -> String {
        let script = include_str!("../../assets/probe.sh");
        let from = script.find("on_disk() {").unwrap();
        let function = &script[from..from + script[from..].find("\n}\n").unwrap() + 3];
        let stand_ins = format!(
            "have() {{ [ \"$1\" = etcd2 ]; }}\ntimeout() {{ case $2 in /opt/etcd) echo 'etcd Version: 3.5.1' ;; *) echo 'etcd Version: 2.3.8' ;; esac; }}\nsystemctl() {{ case \"$*\" in\n\
             'is-active --quiet {running}') true ;;\n*ExecStart*) echo 'ExecStart={{ path={program} ; argv[]={program} ; ignore_errors=no }}' ;;\n\
             *Environment*) echo 'Environment={environment}' ;;\n*) false ;; esac; }}\n"
        );
        let output =
            std::process::Command::new("sh").args(["-c", &format!("{stand_ins}{function}on_disk")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn what_a_restart_would_run_is_the_running_units_and_not_what_lies_beside_it() {
        let environment = "ETCD_IMAGE_TAG=v3.0.17 ETCD_DATA_DIR=/var/lib/etcd";
        assert_eq!(
            on_disk_beside_etcd2("etcd-member", "/usr/lib/coreos/etcd-wrapper", environment),
            "etcd Version: 3.0.17"
        );
        assert_eq!(
            on_disk_beside_etcd2("none", "", ""),
            "etcd Version: 2.3.8",
            "nothing runs: what would be started by hand"
        );
    }
}
