//! Clusters with as many workers as are asked for.

use crate::model::Role;

use super::build::Plan;

/// Most workers of a cluster: more than the largest that the runbooks were written for.
pub(super) const MOST: usize = 2_000;

/// The hosts with so many workers: the first of those there are, and more like the last of them.
pub(super) fn with_workers(plans: &[Plan], count: Option<usize>) -> Vec<Plan> {
    let is_worker = |plan: &Plan| plan.roles.contains(&Role::Worker);
    let known: Vec<Plan> = plans.iter().copied().filter(is_worker).collect();
    let (Some(count), Some(last)) = (count, known.last()) else { return plans.to_vec() };
    let workers: Vec<Plan> =
        (0..count).map(|at| known.get(at).copied().unwrap_or_else(|| like(last, at + 1 - known.len()))).collect();
    // Where the workers stood, so that what comes after them still does.
    let (before, after): (Vec<Plan>, Vec<Plan>) = {
        let first = plans.iter().position(is_worker).unwrap_or(plans.len());
        let others = |plans: &[Plan]| plans.iter().copied().filter(|plan| !is_worker(plan)).collect();
        (others(&plans[..first]), others(&plans[first..]))
    };
    [before, workers, after].concat()
}

/// The names of the workers among these.
pub(super) fn workers(plans: &[Plan]) -> Vec<&'static str> {
    plans.iter().filter(|plan| plan.roles.contains(&Role::Worker)).map(|plan| plan.name).collect()
}

/// The `further`-th host like another one. Its name lives as long as the program, as the written ones do.
fn like(plan: &Plan, further: usize) -> Plan {
    let prefix = plan.name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number: usize = plan.name[prefix.len()..].parse().unwrap_or_default();
    let name = format!("{prefix}{}", number + further).leak();
    let address = format!("10.15.{}.{}", 100 + further / 200, 1 + further % 200).leak();
    Plan { name, address, ..*plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_workers_can_have_more() {
        use super::super::{Kind, Practice};
        for (kind, workers, refused) in [
            (Kind::Etcd, 3, Some("`etcd` has the hosts it has")),
            (Kind::Kubeadm, 0, Some("from 1 to")),
            (Kind::Kubeadm, MOST + 1, Some("from 1 to")),
            (Kind::Kubeadm, 40, None),
        ] {
            match (kind.can_have(workers), refused) {
                (Ok(()), None) => {
                    let practice = Practice::with_workers(kind, Some(workers), 1, Vec::new());
                    assert_eq!(practice.inventory().with_role(Role::Worker).count(), workers);
                }
                (Err(why), Some(refused)) => assert!(why.contains(refused), "{why}"),
                (found, _) => panic!("{workers} workers of {}: {found:?}", kind.word()),
            }
        }
    }

    #[test]
    fn workers_are_as_many_as_asked_for_and_the_others_stay() {
        let plans = super::super::kubeadm::ARCH;
        let names = |count| with_workers(&plans, count).iter().map(|plan| plan.name).collect::<Vec<_>>();
        assert_eq!(names(None), ["c2-master0", "c2-worker0", "c2-worker1", "c2-worker2", "c2-build"]);
        assert_eq!(names(Some(1)), ["c2-master0", "c2-worker0", "c2-build"]);
        assert_eq!(names(Some(4)), ["c2-master0", "c2-worker0", "c2-worker1", "c2-worker2", "c2-worker3", "c2-build"]);
        let many = with_workers(&plans, Some(MOST));
        let distinct = |of: fn(&Plan) -> &'static str| many.iter().map(of).collect::<std::collections::BTreeSet<_>>();
        assert_eq!((distinct(|plan| plan.name).len(), distinct(|plan| plan.address).len()), (MOST + 2, MOST + 2));
    }
}
