//! Other tools' files: Ansible's inventories, ssh's configuration, Container Linux Configs and cloud-configs.

use std::path::Path;
use std::sync::LazyLock;

use lockkeeper::documents::{Source, read_inventory};
use lockkeeper::ignition::{self, SPECS, Settings};
use lockkeeper::import::{self, Found};
use lockkeeper::yaml::{Document, Problems};

use super::mangled::{assert_plain, text, texts};

/// What an import writes is read again, whole, and hides nothing.
fn judge(found: Result<Found, Problems>) {
    let Ok(mut found) = found else { return };
    // Every host does something, or it would be left out.
    let _ = found.give_roles(&["*=worker".into()]);
    let hosts = found.hosts.len();
    match found.inventory("prod") {
        Ok(yaml) => {
            assert_plain(&yaml);
            match read_inventory(&Source::file(Path::new("/nowhere/i.yaml"), yaml.as_str())) {
                Ok(inventory) => assert_eq!(inventory.hosts.len(), hosts, "{yaml}"),
                // What names and addresses may be is not this one's to say.
                Err(problems) => {
                    assert!(problems.0.iter().all(|problem| problem.place.is_some()), "{problems}\n{yaml}");
                }
            }
        }
        Err(_) => assert_eq!(hosts, 0),
    }
}

static INI: LazyLock<Vec<String>> = LazyLock::new(|| {
    let contrib = "[masters]\nkube-master.example.com\n\n[etcd:children]\nmasters\n\n[nodes]\nkube-minion-[1:2].example.com ansible_port=2222\n";
    let kubespray = "# hosts\n[all]\nnode1 ansible_host=10.0.0.1 ip=10.9.0.1 etcd_member_name=etcd1\nnode[02:11:3]:2222 ansible_user=core\n[kube_control_plane]\nnode1\n[etcd:children]\nkube_control_plane\n[k8s_cluster:children]\netcd\nkube_node\n[kube_node:vars]\nansible_ssh_common_args='-o ProxyJump=bastion'\nansible_connection=local\nansible_ssh_pass=x\nname={{x}}\n";
    [contrib, kubespray].map(str::to_owned).into()
});
static GROUPS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let kubespray = "all:\n  hosts:\n    node1: {ansible_host: 10.0.0.1, ip: 10.9.0.1}\n    node[2:4]:\n      ip: 10.9.0.2\n  children:\n    kube_control_plane:\n      hosts: {node1: }\n    kube_node:\n      hosts: {node1: , node2: }\n      vars:\n        ansible_user: core\n        list: [a, b]\n    etcd:\n      hosts: {node1: }\n    k8s_cluster:\n      children: {kube_control_plane: , kube_node: }\n";
    vec![kubespray.into()]
});
static SSH: LazyLock<Vec<String>> = LazyLock::new(|| {
    let config = "Include more\nHost etcd1\n  HostName 10.0.0.1\n  User first\nHost etcd* !etcd2\n  User=second\n  Port 2222\nHost *\n  ProxyJump bastion\n  IdentityFile \"~/.ssh/k\"\nMatch user x\n  Port 1\nHost other a-?\n";
    vec![config.into()]
});

/// The input as a file of that name, in a directory of its own.
fn imported(name: &str, text: &str, import: impl Fn(&Path) -> Result<Found, Problems>) {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, text).unwrap();
    judge(import(&file));
}

/// Ansible's, as INI and as YAML.
pub(super) fn ansible(input: &[u8]) {
    match input.split_last() {
        Some((last, rest)) if last % 2 == 0 => imported("hosts.yml", &text(rest, &GROUPS), import::ansible),
        _ => imported("hosts", &text(input, &INI), import::ansible),
    }
}

/// ssh's own, which may include itself.
pub(super) fn ssh(input: &[u8]) {
    imported("more", &text(input, &SSH), |file| import::ssh_config(file, "*"));
}

static CONFIGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    [
        texts("tests/fixtures/ignition", "yaml"),
        texts("assets/practice/container-linux", "yaml"),
        texts("tests/fixtures/ignition", "json"),
    ]
    .concat()
});

/// A Container Linux Config: what is converted is converted alike each time, is no worse for being asked less strictly, and can
/// be looked through for what destroys data.
pub(super) fn config(input: &[u8]) {
    let document = Document::new("f", text(input, &CONFIGS));
    for spec in SPECS {
        let settings = Settings { spec, platform: Some("ec2"), files_dir: None };
        let strict = ignition::convert(&document, &settings);
        let lenient = ignition::transpile(&document, &settings);
        if let Ok(converted) = strict {
            assert_eq!(ignition::convert(&document, &settings).unwrap().json, converted.json);
            let (same, _) = lenient.unwrap();
            assert_eq!(same.json, converted.json);
            let _ = (converted.config(), ignition::lint(&converted.json));
            let again = Document::new("f", converted.json.to_string());
            ignition::lint_document(&again, &settings).unwrap_or_else(|problems| panic!("{problems}\n{}", again.text));
        }
    }
    match ignition::lint_document(&document, &Settings::default()) {
        Ok(linted) => drop(format!("{linted:?}")),
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
}

static CLOUD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let all = "#cloud-config\nhostname: a\nssh_authorized_keys:\n  - ssh-rsa AAAA a\nusers:\n  - name: u\n    passwd: $6$x\n    groups: [sudo, docker]\n    ssh_authorized_keys: [k]\n    coreos-ssh-import-github: x\nwrite_files:\n  - path: /etc/x\n    permissions: '0644'\n    owner: root\n    content: |\n      a\n  - {path: /etc/y, encoding: gzip+base64, content: H4sI}\nmanage_etc_hosts: localhost\ncoreos:\n  update: {reboot-strategy: etcd-lock, group: stable}\n  etcd2:\n    name: e1\n    discovery: https://discovery.etcd.io/x\n    advertise-client-urls: http://$public_ipv4:2379\n  fleet: {public-ip: $private_ipv4}\n  flannel: {etcd_prefix: /x}\n  locksmith: {endpoint: http://x}\n  units:\n    - name: etcd2.service\n      command: start\n    - name: a.service\n      enable: true\n      content: |\n        [Unit]\n        Description=x\n      drop-ins:\n        - {name: 10.conf, content: \"[Service]\\n\"}\n    - {name: 00-eth0.network, runtime: true, content: \"[Match]\\n\"}\n";
    vec![all.into()]
});

/// A cloud-config: what is drafted is YAML that hides nothing, and every note is about a place.
pub(super) fn cloud_config(input: &[u8]) {
    let written = text(input, &CLOUD);
    let document = Document::new(
        "f",
        if written.starts_with("#cloud-config") { written } else { format!("#cloud-config\n{written}") },
    );
    let Ok(migration) = ignition::migrate(&document) else { return };
    assert_eq!(ignition::migrate(&document).unwrap(), migration);
    assert!(migration.notes.iter().all(|note| note.place.line > 0), "{:?}", migration.notes);
    if !migration.draft.is_empty() {
        assert_plain(&migration.draft);
        let draft = Document::new("draft", migration.draft.as_str());
        lockkeeper::yaml::parse(&draft).unwrap_or_else(|problems| panic!("{problems}\n{}", migration.draft));
        let _ = ignition::transpile(&draft, &Settings { spec: SPECS[SPECS.len() - 1], ..Settings::default() });
    }
}
