//! How a host is reached: what the inventory says, as OpenSSH's own client takes it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::trouble::Target;
use crate::model::address::is_argument;
use crate::model::inventory::{Host, Ssh as Config};

/// For the network and the login together; a bastion takes its share.
const CONNECT: Duration = Duration::from_secs(10);

/// A silent connection is given up after three of these (the client's own count).
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A master that has lost us, for example to `kill -9`, goes by itself after so many seconds without a command.
const IDLE: u32 = 120;

/// How a host is reached, from inventory and host together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) address: String,
    pub(super) config: Config,
}

impl Route {
    /// What the host says goes before what the inventory says.
    ///
    /// # Errors
    /// When an address, user or bastion could be taken for an option of ssh, or a path cannot be written down for it.
    pub(super) fn new(general: &Config, host: &Host) -> Result<Self, String> {
        let own = &host.ssh;
        let config = Config {
            user: own.user.clone().or_else(|| general.user.clone()),
            port: own.port.or(general.port),
            identity: own.identity.clone().or_else(|| general.identity.clone()),
            known_hosts: own.known_hosts.clone().or_else(|| general.known_hosts.clone()),
            jump: own.jump.clone().or_else(|| general.jump.clone()),
            config: own.config.clone().or_else(|| general.config.clone()),
            connect_timeout: own.connect_timeout.or(general.connect_timeout),
        };
        let names = [Some(host.address()), config.user.as_deref(), config.jump.as_deref()];
        for name in names.into_iter().flatten() {
            if !is_argument(name) {
                return Err(format!("{name:?} in the inventory is not an address, user or bastion that ssh takes"));
            }
        }
        for path in [&config.identity, &config.known_hosts, &config.config].into_iter().flatten() {
            if path.to_str().is_none_or(|path| path.contains(|c: char| c == '"' || c.is_control())) {
                return Err(format!(
                    "the path {} in the inventory has a quote, a control character or bytes that are not UTF-8 in it: ssh would read it as another",
                    path.display()
                ));
            }
        }
        Ok(Self { address: host.address().to_owned(), config })
    }

    /// How long network and login may take together.
    pub(super) fn login(&self) -> Duration {
        self.config.connect_timeout.map_or(CONNECT, |seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// How long a command may take for the way and the login shell's start, `otherwise` where the inventory does not say.
    pub(super) fn patience(&self, otherwise: Duration) -> Duration {
        self.config.connect_timeout.map_or(otherwise, |_| self.login())
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            address: &self.address,
            user: self.config.user.as_deref(),
            port: self.config.port,
            jump: self.config.jump.as_deref(),
            seconds: self.login().as_secs(),
        }
    }

    /// What holds for the host itself and not for its bastion, as arguments of ssh.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options: Vec<String> = [
            format!("ControlPersist={IDLE}"),
            "StrictHostKeyChecking=yes".into(),
            format!("ConnectTimeout={}", self.login().as_secs()),
            format!("ServerAliveInterval={}", KEEP_ALIVE.as_secs()),
        ]
        .into_iter()
        .flat_map(|option| ["-o".into(), option])
        .collect();
        let config = &self.config;
        let port = config.port.map(|port| port.to_string());
        // Where a key is named, no other is offered.
        let identity = config.identity.as_ref().map(|path| path.display().to_string());
        let only = identity.as_ref().map(|_| "IdentitiesOnly=yes".to_owned());
        let more =
            [("-p", port), ("-l", config.user.clone()), ("-o", only), ("-i", identity), ("-J", config.jump.clone())];
        options.extend(more.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten());
        options
    }

    /// A client configuration that holds for the bastion too, which options on the command line do not reach. What
    /// comes first wins in ssh, so nothing that it includes can turn prompts on or checks of host keys off.
    pub(super) fn client_config(&self, asks: bool) -> String {
        let mut text = format!(
            "Host *\n  BatchMode {}\n  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  ForwardAgent no\n  \
             ForwardX11 no\n  ClearAllForwardings yes\n  PermitLocalCommand no\n  RemoteCommand none\n  RequestTTY no\n",
            if asks { "no" } else { "yes" },
        );
        let quoted = |path: &Path| path.display().to_string().replace('%', "%%");
        if let Some(path) = &self.config.known_hosts {
            let _ = writeln!(text, "  UserKnownHostsFile \"{}\"", quoted(path));
        }
        if let Some(path) = &self.config.identity {
            let _ = writeln!(text, "  IdentityFile \"{}\"", quoted(path));
        }
        match &self.config.config {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let _ = writeln!(text, "Include \"{}\"", path.display());
            }
            None => text.push_str("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"),
        }
        text
    }
}
