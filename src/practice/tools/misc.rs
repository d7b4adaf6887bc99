//! Small tools: clock, versions, reboot, locksmith and the update engine.

use std::time::Duration;

use super::super::clock::Clock;
use super::{Call, Exit};

pub(super) async fn date(call: &Call<'_>) -> Exit {
    let format = call.args().find_map(|word| word.strip_prefix('+')).unwrap_or("%a %b %e %H:%M:%S %Z %Y");
    let now = call.world(|world| world.now);
    call.out(format!("{}\n", Clock::strftime(now, format))).await?;
    Ok(0)
}

/// Scripts run as root here; etcd's is the only other account that anybody asks for.
pub(super) async fn id(call: &Call<'_>) -> Exit {
    let (name, number) = match call.operands().as_slice() {
        [] | ["root"] => ("root", 0),
        ["etcd"] => ("etcd", 232),
        [other, ..] => return call.fail(format!("id: '{other}': no such user"), 1).await,
    };
    let letters: String = call.args().filter(|word| word.starts_with('-')).collect();
    let text = match (letters.contains('n'), letters.contains(['u', 'g'])) {
        (true, _) => format!("{name}\n"),
        (false, true) => format!("{number}\n"),
        (false, false) => format!("uid={number}({name}) gid={number}({name}) groups={number}({name})\n"),
    };
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn sleep(call: &Call<'_>) -> Exit {
    let mut whole = Duration::ZERO;
    for word in call.args() {
        let (number, unit) = word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len()));
        let factor = match unit {
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return call.fail(format!("sleep: invalid time interval '{word}'"), 1).await,
        };
        match number.parse::<f64>() {
            Ok(number) if number >= 0.0 => whole += Duration::from_secs_f64(number * factor),
            Ok(_) | Err(_) => return call.fail(format!("sleep: invalid time interval '{word}'"), 1).await,
        }
    }
    tokio::time::sleep(whole).await;
    Ok(0)
}

pub(super) fn reboot(call: &Call<'_>) -> i32 {
    call.world(|world| world.reboot(call.host, ""));
    0
}

/// What programs say of themselves, and nothing else.
pub(super) async fn version(call: &Call<'_>, name: &str) -> Exit {
    let text = match name {
        "etcd2" => "etcd Version: 2.3.8\nGit SHA: 7e4fc7e\nGo Version: go1.7.5\nGo OS/Arch: linux/amd64\n",
        "kubelet" => "Kubernetes v1.5.6\n",
        "uname" => "Linux\n",
        _ => "",
    };
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn locksmithctl(call: &Call<'_>) -> Exit {
    if !call.world(|world| super::kubectl::etcd_answers(world)) {
        return call
            .fail("Error initializing etcd client: client: etcd cluster is unavailable or misconfigured", 1)
            .await;
    }
    if call.operands().first() == Some(&"status") {
        call.out("Available: 1\nMax: 1\n").await?;
    }
    Ok(0)
}

pub(super) async fn update_engine_client(call: &Call<'_>) -> Exit {
    if !call.machine(|machine| machine.is_active("update-engine.service")) {
        let text = "[0422/130000:ERROR:update_engine_client.cc(236)] Error getting dbus proxy for com.coreos.update1";
        return call.fail(text, 1).await;
    }
    call.out(
        "LAST_CHECKED_TIME=1492864800\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n",
    )
    .await?;
    Ok(0)
}
