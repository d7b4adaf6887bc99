//! The procedures that are played: small ones, of steps whose scripts are a word that the world understands.

use std::path::Path;
use std::sync::LazyLock;

use indexmap::IndexMap;
use lockkeeper::documents::{Source, plan, read_inventory, read_runbook};
use lockkeeper::model::{HostName, Plan};
use lockkeeper::probe::Request;

/// The version that members have in the end, and the one they begin with.
pub(crate) const NEW: &str = "3.5.1";
pub(crate) const OLD: &str = "3.4.9";

/// What a backup is, and where it lies.
pub(crate) const BACKUP: &str = "/var/backup.db";
pub(crate) const SEED: &str = "/var/seed.db";

const MEMBERS: &str = "cluster: small
hosts:
  - {name: e1, roles: etcd, connection: practice}
  - {name: e2, roles: etcd, connection: practice}
  - {name: e3, roles: etcd, connection: practice}
";

const UPGRADE: &str = "runbook: upgrade
title: Every member gets the new version
probe: {paths: [/var/backup.db]}
stages:
  - stage: look
    title: Look
    hosts: etcd
    order: all-at-once
    steps:
      - step: sound
        title: Sound
        confirm: none
        require: &all-well
          - {check: every member is healthy, that: 'etcd.members.all(m, m.healthy)', because: there is none to spare}
  - stage: members
    title: Members
    hosts: etcd
    leader-last: true
    steps:
      - step: backup
        title: Back up
        require: [{check: it is healthy, that: host.etcd.healthy, because: it has nothing else to tell}]
        run: small backup
        fetch: [{path: /var/backup.db, name: backup.db}]
        verify: [{check: there is one, that: 'host.paths[''/var/backup.db''].exists', because: it is needed}]
        repeatable: true
        undo: 'true'
      - step: stop
        title: Stop
        require: *all-well
        push: [{path: /etc/etcd.conf, from: conf}]
        stops: etcd
        run: small stop
        verify: [{check: it is down, that: '!host.etcd.healthy', because: it writes}]
        undo: small start
      - step: replace
        title: Replace
        destroys: the member's data
        require: [{check: its backup is here, that: 'session.artifacts.exists(a, a.host == host.name)', because: it is lost}]
        run: small replace
        verify: [{check: it is new, that: 'host.etcd.on_disk == ''3.5.1''', because: it is old}]
        undo: small restore
      - step: start
        title: Start
        starts: etcd
        run: small start
        verify: [{check: it is well, that: 'host.etcd.healthy && host.etcd.server == ''3.5.1''', because: it is not}]
        undo: small stop
promise:
  - {check: every member is well, that: 'etcd.members.all(m, m.healthy && m.server == ''3.5.1'')', because: it is not}
";

const REBOOTS: &str = "runbook: reboots
title: Every member boots anew
stages:
  - stage: restart
    title: Restart
    hosts: etcd
    leader-last: true
    steps:
      - step: reboot
        title: Reboot
        require: [{check: every member is healthy, that: 'etcd.members.all(m, m.healthy)', because: there is none to spare}]
        reboots: true
        run: small reboot
        verify: [{check: it is well, that: host.etcd.healthy, because: it is not}]
        undo: small reboot
  - stage: tidy
    title: Tidy
    hosts: etcd
    order: batch 50%
    steps:
      - {step: tidy, title: Tidy, confirm: none, run: small tidy, repeatable: true, undo: 'true'}
";

const NODES: &str = "cluster: small
hosts:
  - {name: c1, roles: control-plane, connection: practice}
  - {name: w1, roles: worker, connection: practice}
  - {name: w2, roles: worker, connection: practice}
";

const DRAIN: &str = "runbook: drain
title: Every node is drained and boots anew
probe: {paths: [/var/seed.db]}
stages:
  - stage: seed
    title: Seed
    hosts: control-plane
    steps:
      - {step: take, title: Take, run: small backup, fetch: [{path: /var/backup.db, name: seed.db}], repeatable: true, undo: 'true'}
  - stage: nodes
    title: Nodes
    hosts: worker
    order: all-at-once
    steps:
      - step: cordon
        title: Cordon
        only_if: '!kube.nodes[host.node].cordoned'
        on: control-plane
        run: small cordon
        repeatable: true
        verify: [{check: it is cordoned, that: 'kube.nodes[host.node].cordoned', because: pods come}]
        undo: small uncordon
      - step: drain
        title: Drain
        on: control-plane
        require: [{check: it is cordoned, that: 'kube.nodes[host.node].cordoned', because: pods come}]
        run: small drain
        repeatable: true
        if_ended: some pods are gone
        undo: 'true'
      - step: copy
        title: Copy
        push: [{path: /var/seed.db, from: 'artifact:/var/backup.db'}]
        verify: [{check: it is there, that: 'host.paths[''/var/seed.db''].exists', because: it is needed}]
        undo: small unseed
      - step: reboot
        title: Reboot
        reboots: true
        run: small reboot
        verify: [{check: it is ready, that: 'kube.nodes[host.node].ready', because: it is not}]
        undo: small reboot
      - step: uncordon
        title: Uncordon
        only_if: session.done.exists(d, d.host == host.name && d.step == 'cordon')
        on: control-plane
        run: small uncordon
        repeatable: true
        verify: [{check: it is not cordoned, that: '!kube.nodes[host.node].cordoned', because: no pod comes}]
        undo: small cordon
";

/// A procedure on its hosts.
pub(crate) struct Piece {
    pub(crate) plan: Plan,
    /// The probe of each host.
    pub(crate) probes: IndexMap<HostName, String>,
}

/// All that is played, read once.
pub(crate) static PIECES: LazyLock<Vec<Piece>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("conf"), "a: 1\n").unwrap();
    let piece = |(hosts, text): (&str, &str)| {
        let written = Source::file(&directory.path().join("small.yaml"), text);
        let hosts = Source::file(Path::new("hosts.yaml"), hosts);
        let inventory = read_inventory(&hosts).unwrap_or_else(|wrong| panic!("{wrong}"));
        let runbook = read_runbook(&written).unwrap_or_else(|wrong| panic!("{wrong}"));
        let plan = plan::build(&inventory, &hosts, &runbook, &written, &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
        let probe = |host: &lockkeeper::model::inventory::Host| {
            let request = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]);
            (host.name.clone(), request.script())
        };
        Piece { probes: plan.inventory.hosts.iter().map(probe).collect(), plan }
    };
    [(MEMBERS, UPGRADE), (MEMBERS, REBOOTS), (NODES, DRAIN)].map(piece).into()
});
