//! A practice cluster with somebody who types.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::hosts::{JobSpec, JobStatus, Operate, untold};
use crate::model::JobName;
use crate::practice::{Kind, Practice};

pub(super) const MEMBERS: [&str; 3] = ["etcd1", "etcd3", "etcd2"];

/// A practice cluster with somebody who types.
pub(super) struct Bench {
    pub(super) practice: Practice,
    runbook: serde_yaml::Value,
    jobs: std::cell::Cell<u32>,
}

impl Bench {
    pub(super) fn new(seed: u64, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let text = include_str!("../../../assets/runbooks/etcd-2-to-3-container-linux.yaml");
        Self::of(Practice::new(Kind::ContainerLinux, seed, faults), text)
    }

    pub(super) fn of(practice: Practice, runbook: &str) -> Self {
        Self { practice, runbook: serde_yaml::from_str(runbook).unwrap(), jobs: 0.into() }
    }

    pub(super) fn host(&self, host: &str) -> std::sync::Arc<dyn Operate> {
        self.practice.leased(&host.into())
    }

    pub(super) fn step(&self, stage: &str, step: &str, key: &str) -> String {
        let named = |list: &serde_yaml::Value, key: &str, name: &str| {
            list.as_sequence().unwrap().iter().find(|item| item[key] == name).unwrap().clone()
        };
        let stage = named(&self.runbook["stages"], "stage", stage);
        named(&stage["steps"], "step", step)[key].as_str().unwrap().to_owned()
    }

    pub(super) fn spec(&self, script: &str) -> JobSpec {
        self.jobs.set(self.jobs.get() + 1);
        let inventory = self.practice.inventory();
        let given = [("target", "3.0.17"), ("backup_dir", "/var/lib/lockkeeper-backup"), ("way", "drop-in")];
        let env = given.into_iter().chain(inventory.vars.iter().map(|(name, value)| (&**name, &**value)));
        JobSpec {
            name: JobName::from(format!("job-{}", self.jobs.get())),
            script: script.into(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
            secrets: BTreeMap::new(),
            timeout: Duration::from_mins(10),
        }
    }

    pub(super) async fn end_of(&self, host: &str, job: &JobName) -> (JobStatus, String) {
        let host = self.host(host);
        let mut output = Vec::new();
        loop {
            match host.poll_job(job, output.len() as u64).await {
                Ok(news) => {
                    output.extend(news.output);
                    if news.status != JobStatus::Running {
                        return (news.status, String::from_utf8(output).unwrap());
                    }
                }
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    pub(super) async fn run(&self, host: &str, script: &str) -> (JobStatus, String) {
        let spec = self.spec(script);
        self.host(host).start_job(&spec).await.unwrap();
        self.end_of(host, &spec.name).await
    }

    /// Runs a step of the runbook, which must go well.
    pub(super) async fn does(&self, host: &str, stage: &str, step: &str) -> String {
        let (status, output) = self.run(host, &self.step(stage, step, "run")).await;
        assert_eq!(status, JobStatus::Exited(0), "{host} {step}: {output}");
        output
    }

    pub(super) async fn see(&self, host: &str, script: &str) -> String {
        self.host(host).probe(script, Duration::from_secs(30)).await.unwrap().output
    }

    pub(super) async fn version(&self, host: &str) -> String {
        self.see(host, "curl -s --max-time 5 http://127.0.0.1:2379/version || echo \" rc=$?\"").await
    }

    pub(super) async fn healthy(&self, host: &str) -> bool {
        self.see(host, "curl -s --max-time 5 http://127.0.0.1:2379/health || true").await == r#"{"health": "true"}"#
    }

    pub(super) async fn until_healthy(&self, host: &str) {
        for _ in 0..300 {
            if matches!(self.host(host).connect().await, Ok(())) && self.healthy(host).await {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{host} never became healthy: {}", self.see(host, "journalctl -b -u etcd-member -u etcd2 -n 20").await);
    }

    pub(super) async fn until_booted(&self, host: &str) {
        sleep(Duration::from_secs(2)).await;
        while self.host(host).connect().await.is_err() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    pub(super) async fn push_drop_in(&self, host: &str, tag: &str) {
        let path = "/etc/systemd/system/etcd-member.service.d/20-clct-etcd-member.conf";
        self.host(host).push(path, "0644", drop_in(host, tag).as_bytes(), untold()).await.unwrap();
    }

    pub(super) async fn upgrade_by_drop_in(&self, host: &str) {
        self.push_drop_in(host, "ETCD_IMAGE_TAG=v3.0.17").await;
        self.does(host, "members", "write-drop-in").await;
        for step in ["stop", "backup", "copy", "put-cloud-config-aside", "enable", "start"] {
            self.does(host, "members", step).await;
        }
        self.until_healthy(host).await;
    }
}

fn drop_in(host: &str, tag: &str) -> String {
    let address = format!("10.15.4.18{}", &host[4..]);
    format!(
        "[Service]\nEnvironment=\"{tag}\"\nExecStart=\nExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS \\\n  \
         --name=\"{host}\" \\\n  --listen-peer-urls=\"http://0.0.0.0:2380\" \\\n  \
         --listen-client-urls=\"http://0.0.0.0:2379\" \\\n  \
         --initial-advertise-peer-urls=\"http://{address}:2380\" \\\n  --advertise-client-urls=\"http://{address}:2379\""
    )
}

pub(super) fn ignition(host: &str) -> String {
    serde_json::json!({
        "ignition": {"version": "2.0.0", "config": {}},
        "storage": {"files": [{"filesystem": "root", "path": "/etc/coreos/update.conf",
            "contents": {"source": "data:,GROUP%3Dstable%0AREBOOT_STRATEGY%3D%22etcd-lock%22"}, "mode": 420}]},
        "systemd": {"units": [{"name": "etcd-member.service", "enable": true,
            "dropins": [{"name": "20-clct-etcd-member.conf", "contents": drop_in(host, "ETCD_IMAGE_TAG=v3.0.17")}]}]}
    })
    .to_string()
}
