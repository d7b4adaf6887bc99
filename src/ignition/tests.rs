//! Of the whole room: what is converted, and what is refused.

use super::*;

const MEMBER: &str = r"passwd:
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-rsa AAAA core
etcd:
  name: etcd1
  listen_client_urls: http://0.0.0.0:2379
  advertise_client_urls: http://10.15.4.181:2379
  listen_peer_urls: http://0.0.0.0:2380
  initial_advertise_peer_urls: http://10.15.4.181:2380
  initial_cluster: etcd1=http://10.15.4.181:2380,etcd2=http://10.15.4.182:2380
locksmith:
  reboot_strategy: etcd-lock
";

fn by(document: &Document, spec: &str) -> Result<Converted, Problems> {
    on(document, spec, None)
}

fn on(document: &Document, spec: &str, platform: Option<&str>) -> Result<Converted, Problems> {
    convert(document, &Settings { spec, platform, files_dir: None })
}

fn converted(text: &str) -> Converted {
    by(&Document::new("clc.yaml", text), DEFAULT_SPEC).unwrap_or_else(|problems| panic!("{problems}"))
}

fn complaints(text: &str) -> String {
    by(&Document::new("clc.yaml", text), DEFAULT_SPEC).unwrap_err().to_string()
}

#[test]
fn a_member_is_converted_as_ct_did_it() {
    let drop_in = "[Service]\nExecStart=\nExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS \\\n  \
        --name=\"etcd1\" \\\n  --listen-peer-urls=\"http://0.0.0.0:2380\" \\\n  \
        --listen-client-urls=\"http://0.0.0.0:2379\" \\\n  \
        --initial-advertise-peer-urls=\"http://10.15.4.181:2380\" \\\n  \
        --initial-cluster=\"etcd1=http://10.15.4.181:2380,etcd2=http://10.15.4.182:2380\" \\\n  \
        --advertise-client-urls=\"http://10.15.4.181:2379\"";
    let made = converted(MEMBER);
    assert_eq!(made.etcd_drop_in.as_deref(), Some(drop_in));
    assert_eq!(made.json["ignition"]["version"], "2.0.0");
    assert_eq!(
        made.json["systemd"]["units"],
        json!([{
            "name": "etcd-member.service",
            "enable": true,
            "dropins": [{ "name": "20-clct-etcd-member.conf", "contents": drop_in }],
        }])
    );
    let file = &made.json["storage"]["files"][0];
    assert_eq!(file["path"], "/etc/coreos/update.conf");
    assert_eq!(file["mode"], 420);
    assert_eq!(file["contents"]["source"], "data:,%0AREBOOT_STRATEGY%3D%22etcd-lock%22");
    assert_eq!(made.json["passwd"]["users"], json!([{ "name": "core", "sshAuthorizedKeys": ["ssh-rsa AAAA core"] }]));
}

#[test]
fn a_version_pins_the_image_before_the_command() {
    let made = converted(&MEMBER.replace("etcd:\n", "etcd:\n  version: 3.0.17\n"));
    let drop_in = made.etcd_drop_in.clone().unwrap();
    assert!(
        drop_in.starts_with("[Service]\nEnvironment=\"ETCD_IMAGE_TAG=v3.0.17\"\nExecStart=\nExecStart=/usr/lib/"),
        "{drop_in}"
    );
    let config = made.config();
    assert_eq!(config["etcd"]["version"], "3.0.17");
    assert_eq!(config["etcd"]["name"], "etcd1");
    assert_eq!(config["ignition_version"], "2.0.0");
    // Replacing the file that tells the update channel is not what destroys data; nothing here does.
    assert_eq!(config["destructive"], json!([]));
}

#[test]
fn the_update_group_stands_before_the_strategy() {
    let made = converted("update:\n  group: stable\nlocksmith:\n  reboot_strategy: etcd-lock\n");
    let source = &made.json["storage"]["files"][0]["contents"]["source"];
    assert_eq!(source, "data:,GROUP%3Dstable%0AREBOOT_STRATEGY%3D%22etcd-lock%22");
}

#[test]
fn files_and_units_are_carried_over() {
    let made = converted(
        "storage:\n  files:\n    - path: /etc/x\n      mode: 0600\n      contents:\n        inline: |\n          a b\nsystemd:\n  units:\n    - name: x.service\n      enable: true\n      dropins:\n        - name: 10-x.conf\n          contents: |\n            [Service]\n",
    );
    assert_eq!(made.json["storage"]["files"][0]["contents"]["source"], "data:,a%20b%0A");
    assert_eq!(made.json["storage"]["files"][0]["mode"], 0o600);
    assert_eq!(
        made.json["systemd"]["units"],
        json!([{ "name": "x.service", "enable": true, "dropins": [{ "name": "10-x.conf", "contents": "[Service]\n" }] }])
    );
}

#[test]
fn what_is_not_understood_is_refused_not_dropped() {
    assert!(complaints("coreos:\n  etcd2:\n    name: a\n").contains("no key `coreos`"));
    assert!(complaints("#cloud-config\n").contains("is empty"));
    assert!(complaints("etcd:\n  nam: a\n").contains("did you mean `name`"));
    assert!(complaints("etcd:\n  name: '{HOSTNAME}'\n").contains("clc.yaml:2:10"));
    assert!(complaints("etcd:\n  version: 2.2.0\n").contains("2.3.0"));
    assert!(complaints("etcd:\n  snapshot_count: many\n").contains("a whole number"));
    assert!(
        complaints("storage:\n  files:\n    - path: /x\n      mode: 644\n      contents: {inline: x}\n")
            .contains("leading 0")
    );
}

/// Every fixture, and whether it has a file for a spec: what the `ct` of that spec made of it.
const FIXTURES: [(&str, Option<&str>, &[&str]); 7] = [
    ("member", None, &["2.0.0", "2.1.0", "2.2.0", "2.3.0"]),
    ("services", None, &["2.0.0", "2.1.0", "2.2.0", "2.3.0"]),
    ("storage", None, &["2.0.0", "2.1.0", "2.2.0", "2.3.0"]),
    ("since-2.1.0", None, &["2.1.0", "2.2.0", "2.3.0"]),
    ("since-2.2.0", None, &["2.2.0", "2.3.0"]),
    ("metadata@ec2", Some("ec2"), &["2.0.0", "2.1.0", "2.2.0", "2.3.0"]),
    ("metadata@openstack-metadata", Some("openstack-metadata"), &["2.0.0", "2.1.0", "2.2.0", "2.3.0"]),
];

fn fixture(name: &str) -> Document {
    let path = format!("{}/tests/fixtures/ignition/{name}", env!("CARGO_MANIFEST_DIR"));
    Document::new(name, std::fs::read_to_string(path).unwrap())
}

#[test]
fn every_section_is_what_ct_made_of_it() {
    for (name, platform, specs) in FIXTURES {
        for spec in specs {
            let made = on(&fixture(&format!("{name}.yaml")), spec, platform)
                .unwrap_or_else(|problems| panic!("{name} by {spec}: {problems}"));
            let expected: Value = serde_json::from_str(&fixture(&format!("{name}.{spec}.json")).text).unwrap();
            assert_eq!(made.json, expected, "{name} by {spec}:\n{:#}\nis not\n{expected:#}", made.json);
        }
    }
}

#[test]
fn what_a_spec_cannot_say_is_refused_with_the_one_that_can() {
    for (name, spec, expected) in
        [("since-2.1.0", "2.0.0", "2.1.0"), ("since-2.2.0", "2.0.0", "2.2.0"), ("since-2.2.0", "2.1.0", "2.2.0")]
    {
        let problems = by(&fixture(&format!("{name}.yaml")), spec).unwrap_err();
        assert!(problems.0.len() > 5 && problems.to_string().contains(&format!("spec {expected} is")), "{problems}");
        for problem in &problems.0 {
            assert!(problem.place.is_some(), "{problem}");
            let newer = problem.message.contains("is the first that can say it");
            assert!(newer || problem.message.contains("one of the schemes"), "{problem}");
        }
    }
    let link = "storage: {links: [{path: /l, target: ../x}]}\n";
    assert!(by(&Document::new("f", link), "2.2.0").unwrap_err().to_string().contains("spec 2.3.0 is the first"));
    assert!(by(&Document::new("f", link), "2.3.0").is_ok());
    assert!(by(&Document::new("f", link), "2.4.0").unwrap_err().to_string().contains("not `2.4.0`"));
}

#[test]
fn a_wrong_value_is_told_with_its_place() {
    for (text, place, expected) in [
        ("docker: {flags: x}\n", "1:17", "a list"),
        ("docker: {opts: []}\n", "1:10", "no key `opts`"),
        ("flannel: {version: 0.4.0}\n", "1:20", "0.5.0 or later"),
        ("flannel: {version: v0.7.0}\n", "1:20", "without a v"),
        ("flannel: {version: 0.5.5, etcd_username: x}\n", "1:42", "came with 0.6"),
        ("flannel: {kube_subnet_mgr: true}\n", "1:28", "came with 0.7"),
        ("flannel: {network_config: '10.1.0.0/16'}\n", "1:27", "a JSON object"),
        ("flannel: {version: 0.7.0, kube_subnet_mgr: true, network_config: '{}'}\n", "1:66", "leave this out"),
        ("etcd: {metrics: basic}\n", "1:17", "it came with 3.1"),
        ("etcd: {version: 3.2.0, max_txn_ops: 5}\n", "1:37", "etcd 3.2.0 has no `max_txn_ops`"),
        ("etcd: {version: 2.3.8, auto_tls: true}\n", "1:34", "etcd 2.3.8 has no `auto_tls`"),
        ("etcd: {version: 2.4.0}\n", "1:17", "2.3.0 or later"),
        ("etcd: {version: 4.0.0}\n", "1:17", "below 4"),
        ("etcd: {version: 3.0.17, auto_compaction_retention: 1h}\n", "1:52", "a whole number"),
        ("etcd: {snapshot_count: 010}\n", "1:24", "without a 0 before it"),
        ("etcd: {snapshot_count: '10'}\n", "1:24", "without quotes"),
        ("etcd: {debug: yes}\n", "1:15", "true or false"),
        ("etcd: {name: 'a}'}\n", "1:16", "a brace"),
        ("update: {group: gamma}\n", "1:17", "stable, beta or alpha"),
        ("locksmith: {window_start: '25:00', window_length: 1h}\n", "1:27", "not a time"),
        ("locksmith: {window_start: '04:00', window_length: 1d}\n", "1:51", "not a duration"),
        ("locksmith: {window_start: '04:00'}\n", "1:12", "both"),
        ("systemd: {units: [{name: a}]}\n", "1:26", ".service"),
        ("systemd: {units: [{enable: true}]}\n", "1:20", "no `name`"),
        ("systemd: {units: [{name: a.service, enable: true, contents: x}]}\n", "1:61", "no `[Install]`"),
        ("systemd: {units: [{name: a.service, dropins: [{name: a}]}]}\n", "1:54", ".conf"),
        ("networkd: {units: [{name: a.service}]}\n", "1:27", ".network"),
        ("passwd: {users: [{ssh_authorized_keys: []}]}\n", "1:19", "no `name`"),
        ("passwd: {users: [{name: a, create: {uid: -1}}]}\n", "1:42", "cannot be -1"),
        ("passwd: {groups: [{name: a, gid: x}]}\n", "1:34", "a whole number"),
        ("ignition: {config: {append: [{source: 'ftp://x'}]}}\n", "1:39", "one of the schemes"),
        ("ignition: {config: {replace: {}}}\n", "1:30", "no `source`"),
        ("storage: {files: [{path: a}]}\n", "1:26", "begins with `/`"),
        ("storage: {files: [{path: /a, filesystem: b}]}\n", "1:42", "no filesystem `b`"),
        ("storage: {files: [{path: /a, mode: 644}]}\n", "1:36", "write 0644 or 1204"),
        ("storage: {files: [{path: /a, mode: 400}]}\n", "1:36", "write 0400 or 0620"),
        ("storage: {files: [{path: /a, mode: 511}]}\n", "1:36", "write 0511 or 0777"),
        ("storage: {files: [{path: /a, mode: '0644'}]}\n", "1:36", "without quotes"),
        ("storage: {files: [{path: /a, mode: 0888}]}\n", "1:36", "not a mode"),
        ("storage: {files: [{path: /a, mode: 99999}]}\n", "1:36", "not a mode"),
        ("storage: {files: [{path: /a, contents: {local: b}}]}\n", "1:48", "--files-dir"),
        ("storage: {files: [{path: /a, contents: {inline: b, remote: {url: 'http://x'}}}]}\n", "1:60", "one source"),
        ("storage: {files: [{path: /a, contents: {remote: {url: x}}}]}\n", "1:55", "schemes"),
        ("storage: {files: [{path: /a, contents: {remote: {url: 'http://x', compression: xz}}}]}\n", "1:80", "gzip"),
        (
            "storage: {files: [{path: /a, contents: {remote: {url: 'http://x', verification: {hash: {function: sha512, sum: a}}}}}]}\n",
            "1:112",
            "128",
        ),
        (
            "storage: {files: [{path: /a, contents: {remote: {url: 'http://x', verification: {hash: {sum: a}}}}}]}\n",
            "1:89",
            "no `function`",
        ),
        ("storage: {files: [{path: /a, user: {name: a}}]}\n", "1:43", "spec 2.0.0 has no `name`"),
        ("storage: {disks: [{device: sda}]}\n", "1:28", "begins with `/`"),
        ("storage: {disks: [{wipe_table: true}]}\n", "1:20", "no `device`"),
        ("storage: {disks: [{device: /a, partitions: [{size: 1}]}]}\n", "1:52", "not a size"),
        ("storage: {disks: [{device: /a, partitions: [{start: 1KiB}]}]}\n", "1:53", "a multiple of 1MiB"),
        ("storage: {disks: [{device: /a, partitions: [{number: 1}, {number: 1}]}]}\n", "1:58", "number 1"),
        (
            "storage: {disks: [{device: /a, partitions: [{start: 1MiB, size: 2MiB}, {start: 2MiB, size: 1MiB}]}]}\n",
            "1:72",
            "over another one",
        ),
        ("storage: {disks: [{device: /a, partitions: [{type_guid: x}]}]}\n", "1:57", "swap_partition"),
        ("storage: {disks: [{device: /a, partitions: [{label: 'a:b'}]}]}\n", "1:53", "36 bytes"),
        ("storage: {raid: [{name: a, level: raid7, devices: [/a]}]}\n", "1:35", "did you mean"),
        ("storage: {raid: [{name: a, level: raid0, devices: [/a], spares: 1}]}\n", "1:65", "no spares"),
        ("storage: {filesystems: [{name: a}]}\n", "1:25", "a `mount` or a `path`"),
        ("storage: {filesystems: [{name: root, path: /x}]}\n", "1:32", "is there already"),
        ("storage: {filesystems: [{name: a, mount: {device: /a, format: vfat}}]}\n", "1:63", "spec 2.1.0 is the first"),
        ("storage: {filesystems: [{name: a, mount: {device: /a, format: zfs}}]}\n", "1:63", "cannot be `zfs`"),
        ("storage: {directories: [{path: /a}]}\n", "1:24", "no `storage.directories`"),
        ("storage: []\n", "1:10", "a map of keys"),
    ] {
        let told = by(&Document::new("f", text), DEFAULT_SPEC).unwrap_err().to_string();
        assert!(told.starts_with(&format!("f:{place}: ")) && told.contains(expected), "{text}{told}");
    }
}

#[test]
fn a_mode_is_octal_with_a_0_before_it_and_decimal_without() {
    for (written, expected) in
        [("0644", 0o644), ("0o644", 0o644), ("420", 0o644), ("493", 0o755), ("384", 0o600), ("01777", 0o1777), ("0", 0)]
    {
        let made = by(&Document::new("f", format!("storage: {{files: [{{path: /a, mode: {written}}}]}}\n")), "2.2.0");
        assert_eq!(made.unwrap().json["storage"]["files"][0]["mode"], expected, "{written}");
    }
}

#[test]
fn braces_are_metadata_in_etcd_and_flannel_only() {
    let elsewhere = "storage: {files: [{path: /a, contents: {inline: 'echo ${HOSTNAME}'}}]}\n";
    assert!(by(&Document::new("f", elsewhere), DEFAULT_SPEC).is_ok());
    let told = |text: &str, platform| on(&Document::new("f", text), DEFAULT_SPEC, platform).unwrap_err().to_string();
    let member = "etcd: {name: 'a-{PRIVATE_IPV6}'}\n";
    assert!(told(member, None).starts_with("f:1:17: `{PRIVATE_IPV6}` is filled in from a cloud's metadata"));
    assert!(told(member, Some("gce")).contains("the metadata of gce have no"));
    assert!(told(member, Some("gc")).contains("not a platform that `ct` knew"));
    assert!(told("etcd: {name: '{NAME}'}\n", Some("gce")).contains("is none of {HOSTNAME}"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Real configs with a piece replaced by anything, so that what is broken is deep inside.
    #[test]
    fn no_text_makes_anything_panic(
        which in 0_usize..FIXTURES.len(),
        json in proptest::bool::ANY,
        from in 0.0..1.0_f64,
        length in 0_usize..40,
        put in "[ -~é\n\t]{0,12}",
        spec in 0_usize..4,
    ) {
        let (name, platform, specs) = FIXTURES[which];
        let file = if json { format!("{name}.{}.json", specs[specs.len() - 1]) } else { format!("{name}.yaml") };
        let mut chars: Vec<char> = fixture(&file).text.chars().collect();
        let at = (chars.len() as f64 * from) as usize;
        let end = (at + length).min(chars.len());
        chars.splice(at..end, put.chars());
        let text: String = chars.into_iter().collect();
        let document = Document::new("f", &*text);
        _ = on(&document, SPECS[spec], platform).map(|made| made.config());
        _ = lint_document(&document, &Settings { platform, ..Settings::default() });
        _ = transpile(&document, &Settings { spec: SPECS[spec], platform, files_dir: None });
        _ = migrate(&document);
        _ = migrate(&Document::new("f", format!("#cloud-config\n{text}")));
    }
}

/// What `ct` warned of, and what it passed over in silence: the text, the place of the warning, a word of it.
const DOUBTFUL: [(&str, &str, &str); 12] = [
    ("coreos: {}\n", "1:1", "no key `coreos`"),
    ("etcd: {nam: a}\n", "1:8", "did you mean `name`"),
    ("etcd: {version: 3.2.0, max_txn_ops: 5}\n", "1:37", "etcd 3.2.0 has no `max_txn_ops`"),
    ("flannel: {kube_subnet_mgr: true}\n", "1:28", "came with 0.7"),
    ("storage: {files: [{path: /a, filesystem: b}]}\n", "1:42", "no filesystem `b`"),
    ("systemd: {units: [{name: a.service, enable: true, contents: \"[Service]\\nA=b\"}]}\n", "1:61", "no `[Install]`"),
    ("update: {group: gamma}\n", "1:17", "stable, beta or alpha"),
    ("# nothing\n", "", "is empty"),
    ("docker: {flags: [a]}\ndocker: {flags: [b]}\n", "2:1", "a second time"),
    ("etcd:\n", "1:1", "`etcd` has no value"),
    ("flannel: ~\n", "1:1", "`flannel` has no value"),
    ("systemd: {units: [{name: a.service, enable: true, contents: no unit}]}\n", "1:61", "no `[Install]`"),
];

#[test]
fn what_ct_takes_with_a_warning_or_in_silence_is_a_warning_when_asked_for_and_else_refused() {
    for (text, place, expected) in DOUBTFUL {
        let document = Document::new("f", text);
        let settings = Settings::default();
        let (_, warnings) = transpile(&document, &settings).unwrap_or_else(|problems| panic!("{text}{problems}"));
        let told = warnings.to_string();
        let at = if place.is_empty() { "f: ".to_owned() } else { format!("f:{place}: ") };
        assert!(told.starts_with(&at) && told.contains(expected) && warnings.0.len() == 1, "{text}{told}");
        let refused = convert(&document, &settings).unwrap_err();
        assert!(refused.to_string().contains(expected), "{text}{refused}");
    }
}

#[test]
fn of_what_is_there_twice_the_later_counts_and_maps_are_put_together() {
    let text = "storage:\n  files: [{path: /a}]\nstorage:\n  filesystems: [{name: x, path: /x}]\nlocksmith: {reboot_strategy: off}\nlocksmith: {reboot_strategy: reboot, window_start: a, window_start: 4:00, window_length: 1h}\n";
    let (made, warnings) = transpile(&Document::new("f", text), &Settings::default()).unwrap();
    let told: Vec<bool> =
        warnings.0.iter().map(|warning| warning.message.ends_with("the keys of both count")).collect();
    assert_eq!(told, [true, true, false], "{warnings}");
    assert_eq!(made.json["storage"]["files"][0]["path"], "/a");
    assert_eq!(made.json["storage"]["filesystems"][0]["name"], "x");
    let conf = made.json["storage"]["files"][1]["contents"]["source"].as_str().unwrap();
    assert!(conf.contains("%22reboot%22") && conf.contains("%224%3A00%22") && !conf.contains("off"), "{conf}");
}

#[test]
fn what_must_be_there_is_missed_even_where_only_its_value_is_missing() {
    let told = |text: &str| transpile(&Document::new("f", text), &Settings::default()).unwrap_err().to_string();
    assert!(told("storage: {files: [{path: }]}\n").contains("a file has no `path`"));
    assert!(told("systemd: {units: [{name: a.service, contents: \"[Service\"}]}\n").contains("cannot read this line"));
}

#[test]
fn files_beside_the_config_are_read_from_the_directory_that_was_given() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/x"), b"a\xffb").unwrap();
    let made = |text: &str, files_dir: Option<&Path>| {
        let text = format!("storage: {{files: [{{path: /a, contents: {{{text}}}}}]}}\n");
        convert(&Document::new("f", text), &Settings { files_dir, ..Settings::default() })
            .map(|made| made.json["storage"]["files"][0]["contents"]["source"].clone())
            .map_err(|problems| problems.to_string())
    };
    assert_eq!(made("local: sub/x", Some(dir.path())).unwrap(), "data:,a%FFb");
    assert!(made("local: sub/x", None).unwrap_err().contains("--files-dir"));
    assert!(made("local: none", Some(dir.path())).unwrap_err().contains("cannot read"));
    assert!(made("local: ../x", Some(dir.path())).unwrap_err().contains("without `.` or `..`"));
    assert!(made("local: sub/x, inline: y", Some(dir.path())).unwrap_err().contains("one source"));
}
