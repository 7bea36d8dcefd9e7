use super::*;
use crate::raft::transport::PeerSecurity;
use crate::raft::transport::identity::NodeIdentity;

fn local_member(node_id: &str) -> LocalMember {
    LocalMember {
        name: NodeIdentity {
            node_id: node_id.to_owned(),
            incarnation: 1,
        },
        environment: "test".to_owned(),
        process: 1,
        last_log_id: None,
        vote_term: 1,
    }
}

fn log_id(term: u64, index: u64) -> Option<LogId> {
    let leader = openraft::impls::leader_id_adv::LeaderId { term, node_id: 1 };
    Some(LogId::new(leader, index))
}

fn says(process: u64, last: Option<LogId>, vote_term: u64) -> PeerIdentity {
    PeerIdentity {
        process,
        last_log_id: last,
        vote_term,
        ..local_member("b").identity()
    }
}

/// A member that answers but was not sent an entry gets a limited number of status messages at a
/// time, at the requested pace. A member that was sent the entry, or that does not answer, gets
/// none.
#[tokio::test(start_paused = true)]
async fn who_lags_is_told_in_measure() {
    let pace = Duration::from_millis(20);
    let peers = peers_who_saw(None);
    let b = local_member("b").name.raft_id();
    assert!(peers.lagging(9, pace).is_empty(), "it never answered");
    lock(&peers.known).entry(b).or_default().last_answer = Some(clock::now());
    peers.note_sent(b, 8);
    assert!(peers.lagging(8, pace).is_empty(), "it was sent that");
    assert_eq!(peers.lagging(9, pace), [b]);
    assert!(peers.lagging(10, pace).is_empty(), "too soon");
    for index in 10..9 + MAX_NOTIFIED_AT_ONCE as u64 {
        assert_eq!(peers.lagging(index, Duration::ZERO), [b]);
    }
    tokio::time::advance(pace).await;
    assert!(peers.lagging(99, pace).is_empty(), "enough are under way");
    peers.note_notified(b);
    assert_eq!(peers.lagging(99, pace), [b]);
}

fn peers_who_saw(acknowledged: Option<LogId>) -> Peers {
    let peers = Peers::new(
        Arc::new(local_member("a")),
        7,
        BTreeMap::new(),
        Dialer::tcp(None, PeerSecurity::Off),
    );
    peers
        .verify(&says(1, None, 1), None)
        .expect("a first hello");
    peers.note_acknowledged(local_member("b").name.raft_id(), acknowledged);
    peers
}

/// A new process that reports a shorter log than an earlier process of the member acknowledged is
/// rejected, since the new process runs on a disk restored from a copy.
#[test]
fn a_disk_put_back_from_a_copy_is_refused() {
    let peers = peers_who_saw(log_id(1, 9));
    let refused = peers.verify(&says(2, log_id(1, 5), 1), None);
    assert!(refused.is_err_and(|reason| reason.to_string().contains("restored from a copy")));
}

/// A node that restarts with its disk intact is accepted, and so is another connection of the
/// process that acknowledged the log.
#[test]
fn a_restart_with_its_disk_is_taken() {
    let peers = peers_who_saw(log_id(1, 9));
    assert!(peers.verify(&says(1, None, 1), None).is_ok());
    assert!(peers.verify(&says(2, log_id(1, 9), 1), None).is_ok());
}

/// A log that is shorter than the acknowledged one is accepted with a newer vote, since a newer
/// leader may have truncated it.
#[test]
fn a_log_cut_back_by_a_newer_leader_is_taken() {
    let peers = peers_who_saw(log_id(1, 9));
    assert!(peers.verify(&says(2, log_id(1, 5), 2), None).is_ok());
}

/// A plain connection in the name of a member that has just proved itself is refused, and leaves no
/// trace. Half a minute after the member's last proven message, a plain connection is accepted, but
/// a log that the peer acknowledges on it is not recorded.
#[tokio::test(start_paused = true)]
async fn plain_connections_do_not_count_against_a_proven_member() {
    const PLAIN: Option<&str> = Some("it is plain");
    let peers = peers_who_saw(log_id(1, 9));
    let b = local_member("b").name.raft_id();
    assert!(peers.has_proved(b));
    let refused = peers.verify(&says(2, log_id(1, 99), 1), PLAIN);
    assert!(refused.is_err_and(|reason| reason.to_string().contains("just proved")));
    assert!(
        peers.verify(&says(1, None, 1), None).is_ok(),
        "the same process as before"
    );

    tokio::time::advance(Duration::from_secs(29)).await;
    peers.note_request(b, false);
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(peers.verify(&says(2, log_id(1, 99), 1), PLAIN).is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!peers.has_proved(b));
    assert!(
        peers.verify(&says(2, log_id(1, 5), 1), PLAIN).is_err(),
        "a copy of its disk"
    );
    assert!(peers.verify(&says(2, log_id(1, 99), 1), PLAIN).is_ok());
    assert!(peers.state(b).is_plain);
    peers.note_acknowledged(b, log_id(1, 99));
    assert!(
        peers.verify(&says(3, log_id(1, 9), 1), None).is_ok(),
        "99 was not its own"
    );
    assert!(peers.has_proved(b) && !peers.state(b).is_plain);
}
