//! Deployments: `rpm-ostree status --json`, or `ostree admin status` where there is no rpm-ostree.

use serde_json::Value;

use super::{Section, json, tidy};
use crate::model::Facts;
use crate::model::facts::{Deployment, Ostree};

/// `rpm-ostree status --json` (2017.6 and later); keys are absent rather than null.
pub(super) fn rpm_ostree(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("rpm-ostree status ended with {}", section.status));
    }
    let body = json(section)?;
    let deployments = body["deployments"].as_array().ok_or("no deployments in it")?;
    let read = |deployment: &Value| {
        let text = |key: &str| deployment[key].as_str().map(tidy).unwrap_or_default();
        let names =
            |key: &str| deployment[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(tidy).collect();
        Some(Deployment {
            version: text("version"),
            checksum: deployment["checksum"].as_str().map(tidy)?,
            origin: text("origin"),
            booted: deployment["booted"].as_bool()?,
            staged: deployment["staged"].as_bool().unwrap_or_default(),
            packages: names("packages"),
            requested: names("requested-packages"),
            pinned: deployment["pinned"].as_bool().unwrap_or_default(),
        })
    };
    let deployments =
        deployments.iter().map(read).collect::<Option<_>>().ok_or("a deployment without checksum or booted")?;
    facts.ostree = Some(Ostree { deployments, busy: !body["transaction"].is_null() });
    Ok(())
}

/// `ostree admin status`: `* OSNAME CHECKSUM.SERIAL (staged)`, then lines of that deployment, further in.
pub(super) fn admin_status(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    // No sysroot here: ostree is installed and the host does not boot from it.
    if section.status != 0 || section.text.trim() == "No deployments." {
        return Ok(());
    }
    let mut deployments: Vec<Deployment> = Vec::new();
    for line in section.text.lines() {
        if let Some(rest) = line.strip_prefix("    ") {
            let deployment = deployments.last_mut().ok_or("a detail of no deployment")?;
            if let Some(version) = rest.trim().strip_prefix("Version: ") {
                deployment.version = tidy(version);
            } else if rest.trim() == "Pinned: yes" {
                deployment.pinned = true;
            } else if let Some(origin) = rest.trim().strip_prefix("origin refspec: ") {
                deployment.origin = tidy(origin);
            }
            continue;
        }
        let words: Vec<_> = line.trim_start_matches(['*', ' ']).split_whitespace().collect();
        let [_, checksum, notes @ ..] = words.as_slice() else { continue };
        let checksum = checksum.rsplit_once('.').map_or(*checksum, |(checksum, _)| checksum);
        deployments.push(Deployment {
            checksum: tidy(checksum),
            booted: line.starts_with('*'),
            staged: notes.contains(&"(staged)"),
            ..Deployment::default()
        });
    }
    facts.ostree = Some(Ostree { deployments, busy: false });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::probe::facts as parse;

    #[test]
    fn rpm_ostree_is_read_strictly() {
        let status = serde_json::json!({"deployments": [
            {"id": "x", "checksum": "aa", "version": "27.16", "origin": "f27:fedora/27", "booted": false, "packages": ["etcd"]},
            {"id": "y", "checksum": "bb", "version": "26.91", "booted": true},
        ], "transaction": null});
        let facts = parse(&format!("@rpm-ostree 0 \n {status}\n@end 0 \n"));
        let ostree = facts.ostree.unwrap();
        assert_eq!(ostree.booted().unwrap().version, "26.91");
        assert_eq!(ostree.deployments[0].packages, ["etcd"]);
        let broken = parse("@rpm-ostree 0 \n {\"deployments\":[{}]}\n@end 0 \n");
        assert!(broken.ostree.is_none() && broken.problems.len() == 1);
    }

    fn admin_status(status: i32, printed: &str) -> Option<crate::model::facts::Ostree> {
        let lines: String = printed.lines().map(|line| format!(" {line}\n")).collect();
        let facts = parse(&format!("@ostree {status} \n{lines}@end 0 \n"));
        assert_eq!(facts.problems, [""; 0]);
        facts.ostree
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/ostree/ostree-2022.7-admin-status-", $name, ".txt"))
        };
    }

    #[test]
    fn a_real_sysroot_that_no_host_has_booted_from() {
        assert_eq!(admin_status(1, fixture!("no-sysroot")), None);
        let one = admin_status(0, fixture!("deployed")).unwrap();
        let first = &one.deployments[0];
        assert_eq!(first.checksum, "d5288103d114edc0c950dd15dc91510712e4cbd0eec0627121f59c18d41fa6fc");
        assert_eq!((first.version.as_str(), first.origin.as_str()), ("27.1", "lab/27"));
        assert_eq!((one.deployments.len(), one.booted()), (1, None));
        let two = admin_status(0, fixture!("two")).unwrap();
        assert_eq!(two.deployments.iter().map(|row| row.version.as_str()).collect::<Vec<_>>(), ["27.2", "27.1"]);
        let pinned = admin_status(0, fixture!("pinned")).unwrap();
        assert_eq!(pinned.deployments.iter().map(|row| row.pinned).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_real_deployment_that_runs_with_another_one_pending() {
        let ostree = admin_status(0, fixture!("booted-and-pending")).unwrap();
        let booted = ostree.booted().unwrap();
        assert_eq!((booted.version.as_str(), booted.pinned), ("27.1", true));
        let next = &ostree.deployments[0];
        assert_eq!((next.version.as_str(), next.booted, next.staged), ("27.2", false, false));
        assert_eq!(next.checksum, "e53df0e3ebb2e53e1783598ac569c0e49793c1200e14b2f10329cf4a8f619e4c");
    }

    #[test]
    fn admin_status_is_read() {
        let facts = parse(
            "@ostree 0 \n * fedora-atomic 0715ce81.0\n     Version: 26.91\n     origin refspec: f26:fedora/26\n   fedora-atomic 6a71adb0.0 (rollback)\n     Version: 26.80\n@end 0 \n",
        );
        let ostree = facts.ostree.unwrap();
        assert_eq!(ostree.booted().unwrap().checksum, "0715ce81");
        assert_eq!((ostree.deployments.len(), ostree.deployments[1].version.as_str()), (2, "26.80"));
    }
}
