use super::*;
use crate::raft::transport::PeerIdentity;
use crate::storage::types::{Member, Proposal, Vote};
use openraft::Membership;
use openraft::impls::leader_id_adv::LeaderId;
use std::collections::{BTreeMap, BTreeSet};

const LONG: usize = 3 << 20;

fn named(node_id: &str) -> NodeIdentity {
    NodeIdentity {
        node_id: node_id.to_owned(),
        incarnation: 1,
    }
}

fn hello_of(node_id: &str, environment: &str) -> Hello {
    Hello::non_member(PeerIdentity {
        name: named(node_id),
        environment: environment.to_owned(),
        process: 1,
        last_log_id: None,
        vote_term: 0,
    })
}

fn request_of(node_id: &str, address: &str, environment: &str) -> JoinRequest {
    JoinRequest {
        name: named(node_id),
        address: address.to_owned(),
        environment: environment.to_owned(),
    }
}

/// A peer's description of itself is limited in size. A rejection repeats little of it, in
/// printable characters.
#[test]
fn a_name_has_an_end() {
    assert!(hello(&hello_of("a", "test")).is_ok());
    for (node_id, environment) in [
        ("x".repeat(LONG), "test".to_owned()),
        ("a\nb".to_owned(), "test".to_owned()),
        (String::new(), "test".to_owned()),
        ("a".to_owned(), "y".repeat(LONG)),
    ] {
        let refused = hello(&hello_of(&node_id, &environment)).expect_err("no node says that");
        let refused = refused.to_string();
        assert!(refused.len() < 300, "{} bytes", refused.len());
        assert!(!refused.contains('\n'));
    }
}

/// A join request with an oversized field, or for another environment, is refused with a short
/// reason.
#[test]
fn a_join_request_has_an_end() {
    let address = "http://10.0.0.3:8411";
    assert!(join_request(&request_of("c", address, "test"), "test").is_ok());
    for refused in [
        request_of(&"c".repeat(LONG), address, "test"),
        request_of("c", &"a".repeat(ADDRESS_BYTES_MAX + 1), "test"),
        request_of("c", address, "prod"),
        request_of("c", address, &"t".repeat(LONG)),
    ] {
        let reason = join_request(&refused, "test").expect_err("it is not taken");
        let reason = reason.to_string();
        assert!(reason.len() < 300, "{} bytes", reason.len());
    }
}

/// The founders that a node reports must be possible founders of a valid group, since they are
/// written to the identity on disk.
#[test]
fn founders_have_an_end() {
    let pair = |i: usize| (named(&format!("n{i}")), "http://10.0.0.1:8411".to_owned());
    let pairs = |n| (0..n).map(pair).collect::<Vec<_>>();
    assert!(founders(&pairs(3)).is_ok());
    assert!(founders(&pairs(0)).is_err());
    assert!(founders(&pairs(MEMBERS_MAX + 1)).is_err());
    assert!(founders(&[(named("a"), "a".repeat(LONG))]).is_err());
}

type Payload = EntryPayload<Proposal, u64, Member>;

fn entry(term: u64, index: u64, payload: Payload) -> Entry {
    Entry {
        log_id: log_id(term, index),
        payload,
    }
}

fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId { term, node_id: 1 }, index)
}

fn appends(prev: Option<LogId>, entries: Vec<Entry>) -> Result<(), InvalidMessage> {
    append(&AppendEntriesRequest {
        vote: Vote::new_committed(9, 1),
        prev_log_id: prev,
        entries,
        leader_commit: None,
    })
}

/// Entries that leave a gap, or whose term decreases, are not passed to the log.
#[test]
fn entries_follow_each_other() {
    let blank = |term, index| entry(term, index, EntryPayload::Blank);
    assert!(appends(None, vec![blank(1, 0), blank(1, 1)]).is_ok());
    assert!(appends(Some(log_id(1, 4)), vec![blank(2, 5)]).is_ok());
    for (prev, entries) in [
        (None, vec![blank(1, 1)]),
        (Some(log_id(1, 4)), vec![blank(1, 4)]),
        (Some(log_id(1, 4)), vec![blank(1, 5), blank(1, 7)]),
        (Some(log_id(2, 4)), vec![blank(1, 5)]),
        (Some(log_id(1, u64::MAX)), vec![blank(1, 0)]),
    ] {
        assert!(appends(prev, entries).is_err());
    }
}

/// A membership that the readers of the log and of snapshots would reject is not accepted from a
/// peer either.
#[test]
fn a_membership_is_one_that_readers_take() {
    let member = |address: &str| Member {
        node_id: "a".to_owned(),
        incarnation: 1,
        address: address.to_owned(),
    };
    let of = |address: &str| {
        let nodes = BTreeMap::from([(1, member(address))]);
        Membership::new(vec![BTreeSet::from([1])], nodes).expect("a membership")
    };
    let logged = |members| appends(None, vec![entry(1, 0, EntryPayload::Membership(members))]);
    assert!(logged(of("http://10.0.0.1:8411")).is_ok());
    assert!(logged(of(&"x".repeat(LONG))).is_err());
    assert!(logged(Membership::default()).is_err());
    // openraft does not check the memberships that it decodes from a peer: here the voter 2 is not
    // a member.
    let bytes = postcard::to_allocvec(&(
        vec![BTreeSet::from([1u64, 2])],
        BTreeMap::from([(1u64, member("x"))]),
    ))
    .expect("to memory");
    let unchecked: Membership<u64, Member> = postcard::from_bytes(&bytes).expect("read unchecked");
    assert!(logged(unchecked.clone()).is_err());
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(1, 0)),
        last_membership: crate::storage::types::StoredMembership::new(
            Some(log_id(1, 0)),
            unchecked,
        ),
    };
    assert!(snapshot_meta(&meta).is_err());
}
