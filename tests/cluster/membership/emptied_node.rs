//! Tests of nodes that lose their data directory and rejoin.

use crate::support::cluster::{FORM_LIMIT, members, voters};
use crate::support::{Cluster, Options, until};
use quorate::clock;
use std::time::Duration;

/// Time for which the emptied node and one member must not elect a leader. It is the duration of
/// several elections.
const NO_VOTE_WATCHED: Duration = Duration::from_secs(4);

/// A node with an emptied disk never votes under its old identity. The emptied node and one live
/// member therefore form no quorum. Once a second member is alive, the emptied node rejoins
/// automatically as a new member and receives all data. The group survives the loss of any one node
/// after that.
#[test]
fn an_emptied_node_does_not_vote_and_comes_back_as_a_new_member() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    cluster.nodes[0].announce_acked("kept", "engine", 1);
    let emptied = cluster.others(cluster.leader())[0];
    let [one, two] = cluster.others(emptied)[..] else {
        unreachable!("three nodes")
    };

    cluster.nodes[emptied].kill9();
    cluster.nodes[emptied].wipe();
    cluster.nodes[two].kill9();
    cluster.nodes[emptied].start();
    until("the emptied node answers", FORM_LIMIT, || {
        cluster.nodes[emptied].status()
    });
    let begun = clock::now();
    while begun.elapsed() < NO_VOTE_WATCHED {
        for i in [one, emptied] {
            let answer = cluster.nodes[i]
                .get("/v1/service/kept/general")
                .expect("an answer");
            assert_eq!(
                answer.status, 503,
                "one member and an emptied disk make no quorum: {}",
                answer.body
            );
        }
    }

    cluster.nodes[two].start();
    cluster.wait_ready();
    cluster.wait_all_voters(one);
    for seen in cluster.tokens_everywhere("kept") {
        assert_eq!(seen.get("engine"), Some(&1));
    }

    for lost in 0..3 {
        cluster.nodes[lost].kill9();
        let token = 10 + lost as u64;
        until("the others go on", FORM_LIMIT, || {
            let taker = cluster.others(lost)[0];
            matches!(
                cluster.nodes[taker].announce("kept", "engine", token),
                crate::support::Write::Acked(_)
            )
            .then_some(())
        });
        for i in cluster.others(lost) {
            let seen = until("the others serve", FORM_LIMIT, || {
                cluster.nodes[i].tokens("kept")
            });
            assert_eq!(seen.get("engine"), Some(&token));
        }
        cluster.nodes[lost].start();
        cluster.wait_ready();
    }
}

/// A leader whose disk is emptied rejoins too. A node that is emptied repeatedly leaves no trace of
/// its old identities among the members.
#[test]
fn a_node_emptied_several_times_is_one_member() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    cluster.nodes[0].announce_acked("kept", "engine", 1);
    for _ in 0..3 {
        let emptied = cluster.leader();
        cluster.nodes[emptied].kill9();
        cluster.nodes[emptied].wipe();
        cluster.nodes[emptied].start();
        cluster.wait_ready();
        let other = cluster.others(emptied)[0];
        cluster.wait_all_voters(other);
        // The emptied node may lag by an entry, and see the last step of its own replacement later
        // than the other nodes.
        cluster.wait_all_voters(emptied);
        let status = cluster.nodes[emptied].status().expect("a status");
        assert_eq!(members(&status).len(), 3, "{status}");
        assert_eq!(voters(&status).len(), 3, "{status}");
        assert_eq!(
            cluster.nodes[emptied]
                .tokens("kept")
                .expect("it serves")
                .get("engine"),
            Some(&1)
        );
    }
}
