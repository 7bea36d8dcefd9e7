use crate::replay::{cases, replay};
use crate::support::{Cluster, Options};

/// Proves that a leader and a follower give the answers that airlift's server gave, and follow the
/// rules beyond them: no client can tell which node it speaks to.
#[test]
fn a_leader_and_a_follower_give_the_recorded_answers() {
    for through_leader in [true, false] {
        // A cluster for each, since the recording begins on an empty one.
        let cluster = Cluster::start(3, Options::max_age("10m"));
        let leader = cluster.leader();
        let taker = if through_leader {
            leader
        } else {
            cluster.others(leader)[0]
        };
        for file in [
            include_str!("../wire/airlift-wire.json"),
            include_str!("../wire/rules.json"),
        ] {
            let differences = replay(cluster.nodes[taker].address(), &cases(file));
            assert!(
                differences.is_empty(),
                "through the leader: {through_leader}, {} differences:\n{}",
                differences.len(),
                differences.join("\n")
            );
        }
    }
}
