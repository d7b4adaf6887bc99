//! The programs that scripts call, each simulated over the shared world.

mod atomic;
mod building;
mod curl;
mod etcdctl;
mod etcdctl3;
mod files;
mod journalctl;
mod kubeadm;
mod kubectl;
mod misc;
mod packages;
mod rkt;
mod rpm_ostree;
mod systemctl;

pub(super) use atomic::{brings, container_unit};

use std::sync::Arc;

use async_trait::async_trait;
use bashkit::{BashBuilder, Command, CommandContext, CommandStatus};

use crate::model::HostName;

use super::disk::Disk;
use super::world::{Machine, Sim, World};

/// On every host.
const EVERYWHERE: [&str; 18] = [
    "chown",
    "cp",
    "curl",
    "date",
    "df",
    "diff",
    "id",
    "install",
    "journalctl",
    "lsblk",
    "openssl",
    "reboot",
    "sleep",
    "stat",
    "sync",
    "systemctl",
    "systemd-tmpfiles",
    "uname",
];

/// What is called only where it is installed.
const PROGRAMS: [&str; 37] = [
    "apt-get",
    "apt-mark",
    "atomic",
    "cgpt",
    "containerd",
    "crictl",
    "crio",
    "dnf",
    "docker",
    "dpkg-query",
    "etcd",
    "etcd2",
    "etcdctl",
    "fallocate",
    "flanneld",
    "flatcar-update",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
    "locksmithctl",
    "mkswap",
    "modprobe",
    "ostree",
    "pacman",
    "rkt",
    "rpm",
    "rpm-ostree",
    "runuser",
    "swapoff",
    "swapon",
    "umount",
    "update_engine_client",
    "zramctl",
];

/// Where a tool that takes its time shows how far it is: what it printed into the shell would be seen at its end only.
pub(super) type Terminal = Arc<dyn Fn(&str) + Send + Sync>;

/// Gives a shell the programs of a host.
pub(super) fn install(
    mut builder: BashBuilder,
    sim: &Arc<Sim>,
    host: &HostName,
    terminal: Option<&Terminal>,
) -> BashBuilder {
    let installed = sim.with(|world| world.machine(host).software.programs.clone());
    let names = EVERYWHERE.into_iter().chain(PROGRAMS.into_iter().filter(|name| installed.contains_key(*name)));
    for name in names {
        builder =
            builder.command(name, Tool { name, sim: sim.clone(), host: host.clone(), terminal: terminal.cloned() });
    }
    builder
}

struct Tool {
    name: &'static str,
    sim: Arc<Sim>,
    host: HostName,
    terminal: Option<Terminal>,
}

/// One call of a tool: its words, its streams, and the host it runs on.
struct Call<'a> {
    ctx: CommandContext<'a>,
    sim: &'a Sim,
    host: &'a HostName,
    disk: Arc<Disk>,
    terminal: Option<&'a Terminal>,
}

/// An exit status, unless a stream broke.
type Exit = bashkit::Result<i32>;

impl Call<'_> {
    fn args(&self) -> impl Iterator<Item = &str> {
        self.ctx.args.iter().map(String::as_str)
    }

    /// Words that are not options.
    fn operands(&self) -> Vec<&str> {
        self.operands_beside(&[])
    }

    /// Words that are neither options nor the word that one of these options takes.
    fn operands_beside(&self, with_a_word: &[&str]) -> Vec<&str> {
        let mut operands = Vec::new();
        let mut words = self.args();
        while let Some(word) = words.next() {
            if with_a_word.contains(&word) {
                words.next();
            } else if !word.starts_with('-') {
                operands.push(word);
            }
        }
        operands
    }

    fn has(&self, option: &str) -> bool {
        self.args().any(|word| word == option)
    }

    /// The value of an option written `--name=value`, `--name value`, or by its short letter.
    fn option(&self, long: &str, short: Option<&str>) -> Option<&str> {
        let mut words = self.args();
        while let Some(word) = words.next() {
            if Some(word) == short || word == long {
                return words.next();
            }
            if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }

    async fn out(&self, text: impl AsRef<str>) -> bashkit::Result<()> {
        self.ctx.stdout.write_all(text.as_ref().as_bytes()).await
    }

    async fn err(&self, text: impl AsRef<str>) -> bashkit::Result<()> {
        self.ctx.stderr.write_all(text.as_ref().as_bytes()).await
    }

    /// Says it, and has gone well.
    async fn say(&self, text: impl AsRef<str>) -> Exit {
        self.out(text).await?;
        Ok(0)
    }

    /// Says how far it is: on the terminal where there is one, redirected or not, else on standard error.
    async fn progress(&self, line: impl AsRef<str>) -> bashkit::Result<()> {
        let line = format!("{}\n", line.as_ref());
        match self.terminal {
            Some(terminal) => {
                terminal(&line);
                Ok(())
            }
            None => self.err(line).await,
        }
    }

    /// Says one line on standard error and gives back the exit status.
    async fn fail(&self, line: impl AsRef<str>, exit: i32) -> Exit {
        self.err(format!("{}\n", line.as_ref())).await?;
        Ok(exit)
    }

    fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        self.sim.with(look)
    }

    fn machine<R>(&self, look: impl FnOnce(&mut Machine) -> R) -> R {
        self.sim.with(|world| look(world.machine(self.host)))
    }

    /// A path as the shell would resolve it.
    fn path(&self, path: &str) -> std::path::PathBuf {
        bashkit::normalize_path(&self.ctx.cwd.join(path))
    }
}

#[async_trait]
impl Command for Tool {
    async fn execute(&self, ctx: CommandContext<'_>) -> bashkit::Result<CommandStatus> {
        let disk = self.sim.with(|world| world.machine(&self.host).disk.clone());
        let call = Call { ctx, sim: &self.sim, host: &self.host, disk, terminal: self.terminal.as_ref() };
        let exit = match self.name {
            "chown" => files::chown(&call).await?,
            "cp" => files::cp(&call).await?,
            "curl" => curl::run(&call).await?,
            "date" => misc::date(&call).await?,
            "df" => files::df(&call).await?,
            "diff" => files::diff(&call).await?,
            "etcdctl" => etcdctl::run(&call).await?,
            "id" => misc::id(&call).await?,
            "install" => files::install(&call).await?,
            "journalctl" => journalctl::run(&call).await?,
            "kubectl" => kubectl::run(&call).await?,
            "lsblk" => files::lsblk(&call).await?,
            "locksmithctl" => misc::locksmithctl(&call).await?,
            "reboot" => misc::reboot(&call),
            "rkt" => rkt::run(&call).await?,
            "sleep" => misc::sleep(&call).await?,
            "stat" => files::stat(&call).await?,
            "systemctl" => systemctl::run(&call).await?,
            "update_engine_client" => misc::update_engine_client(&call).await?,
            "apt-get" => packages::apt_get(&call).await?,
            "dnf" => packages::dnf(&call).await?,
            "apt-mark" => packages::apt_mark(&call).await?,
            "atomic" => atomic::run(&call).await?,
            "crictl" => misc::crictl(&call).await?,
            "cgpt" => misc::cgpt(&call).await?,
            "docker" => misc::docker(&call).await?,
            "fallocate" => building::fallocate(&call),
            "runuser" => building::runuser(&call).await?,
            "swapoff" => building::swapoff(&call),
            "swapon" => building::swapon(&call),
            "zramctl" => building::zramctl(&call).await?,
            "flatcar-update" => misc::flatcar_update(&call).await?,
            "dpkg-query" => packages::dpkg_query(&call).await?,
            "kubeadm" => kubeadm::run(&call).await?,
            "openssl" => misc::openssl(&call).await?,
            "ostree" => rpm_ostree::ostree(&call).await?,
            "pacman" => packages::pacman(&call).await?,
            "rpm" => packages::rpm(&call).await?,
            "rpm-ostree" => rpm_ostree::run(&call).await?,
            "systemd-tmpfiles" => files::tmpfiles(&call),
            "uname" => misc::uname(&call).await?,
            name => misc::version(&call, name).await?,
        };
        Ok(CommandStatus::with_code(exit))
    }
}
