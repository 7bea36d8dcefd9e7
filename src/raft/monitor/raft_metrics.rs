//! The task that follows openraft's metrics, to update the group's [`RaftView`] and to write the
//! server log.

use crate::raft::group::Group;
use crate::raft::group::view::RaftView;
use crate::raft::log_target;
use crate::registry::Leadership;
use crate::storage::types::TypeConfig;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::metrics::{RaftMetrics, RaftServerMetrics};
use openraft::vote::RaftLeaderId;
use std::sync::Arc;
use tokio::sync::watch;

/// Keeps the group's [`RaftView`] up to date, and logs the changes that an operator wants to know
/// about.
pub(crate) async fn follow(group: Arc<Group>, sender: watch::Sender<RaftView>) {
    let mut metrics = group.raft.metrics();
    // The loop waits for changes of the server metrics, the part of openraft's metrics that seldom
    // changes. openraft publishes the full metrics at each iteration of its core loop, thousands of
    // times a second, and right after the server metrics. The loop therefore also waits until the
    // full metrics agree with the server metrics.
    let mut seldom = group.raft.server_metrics();
    let mut is_running = true;
    // The last leadership, which is kept while there is no leader.
    let mut last_leadership = None;
    loop {
        while !agree(&seldom.borrow_watched(), &metrics.borrow_watched())
            && metrics.changed().await.is_ok()
        {}
        let view = {
            let now = metrics.borrow_watched();
            if now.vote.is_committed() {
                let leader = now.vote.leader_id();
                if now.state == ServerState::Leader
                    && let Some(index) = now.last_log_index
                {
                    let (term, node) = (leader.term(), *leader.node_id());
                    let evidence = group.replica.evidence();
                    evidence.note_tail(Leadership { term, node }, index);
                }
                group
                    .replica
                    .tick_history()
                    .follow((leader.term(), *leader.node_id()));
            }
            RaftView::of(&now)
        };
        sender.send_if_modified(|old| {
            if *old == view {
                return false;
            }
            log_changes(old, &view);
            let leadership = view.leader.as_ref().map(|leader| (leader.id, leader.term));
            if leadership.is_some() && leadership != last_leadership {
                last_leadership = leadership;
                group.counters.leaders.add_one();
            }
            *old = view;
            true
        });
        if !is_running {
            return;
        }
        tokio::select! {
            // When openraft ends, it publishes its final state in the full metrics only. The loop
            // therefore runs once more after the server metrics have ended.
            changed = seldom.changed() => is_running = changed.is_ok(),
            () = group.stopping() => return,
        }
    }
}

/// Returns whether the full metrics are as recent as the server metrics.
fn agree(seldom: &RaftServerMetrics<TypeConfig>, all: &RaftMetrics<TypeConfig>) -> bool {
    seldom.vote == all.vote
        && seldom.state == all.state
        && seldom.current_leader == all.current_leader
        && seldom.membership_config == all.membership_config
}

/// Logs a change of the leader or of the members.
fn log_changes(old: &RaftView, new: &RaftView) {
    if old.leader != new.leader {
        match &new.leader {
            Some(leader) => {
                tracing::info!(
                    target: log_target::GROUP,
                    leader = leader.member.node_id, term = leader.term, "leader"
                )
            }
            None => tracing::warn!(target: log_target::GROUP, term = new.term, "no leader"),
        }
    }
    if old.membership != new.membership {
        let members: Vec<String> = new
            .members()
            .map(|(_, member, voter)| {
                format!(
                    "{} ({})",
                    member.node_id,
                    if voter { "voter" } else { "learner" }
                )
            })
            .collect();
        tracing::info!(target: log_target::GROUP, members = members.join(", "), "members");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::lock;
    use crate::raft::group::view::Leader;
    use crate::storage::types::Member;
    use std::io;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct RepeatedLines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for RepeatedLines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A new leader is logged under the target that operators know, regardless of the source file
    /// that logs it.
    #[test]
    fn a_leader_is_logged_under_its_target() {
        let view = |leader| RaftView {
            term: 3,
            state: ServerState::Follower,
            leader,
            membership: Arc::default(),
        };
        let leader = Leader {
            id: 1,
            term: 3,
            member: Member {
                node_id: "a".to_owned(),
                ..Member::default()
            },
        };
        let lines = RepeatedLines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            log_changes(&view(None), &view(Some(leader)));
        });
        assert_eq!(
            String::from_utf8_lossy(&lock(&lines.0)),
            " INFO quorate::raft::group: leader leader=\"a\" term=3\n"
        );
    }
}
