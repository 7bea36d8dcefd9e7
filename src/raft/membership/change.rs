//! Changes of the membership, one at a time.

use crate::raft::group::Group;
use crate::raft::log_target;
use crate::storage::types::{Member, RaftId};
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use std::time::Duration;

/// One change of membership. What a leader leaves half done, the next finishes.
pub(crate) const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a change, and says whether it was made in time.
pub(crate) async fn change(
    group: &Group,
    members: ChangeMembers<RaftId, Member>,
    what: &str,
) -> bool {
    match tokio::time::timeout(CHANGE_TIMEOUT, group.raft.change_membership(members, false)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(
                target: log_target::MEMBERSHIP,
                %error, "{what} failed and is tried again"
            );
            false
        }
        Err(_) => {
            tracing::warn!(target: log_target::MEMBERSHIP, "{what} takes long and is tried again");
            false
        }
    }
}

/// A leader that died between the two steps of a change leaves a joint membership: propose its second half.
pub(crate) async fn finish_joint(group: &Group) {
    let second = {
        let metrics = group.raft.metrics();
        let metrics = metrics.borrow_watched();
        let configs = metrics.membership_config.membership().get_joint_config();
        if configs.len() < 2 || metrics.committed_membership_config != metrics.membership_config {
            return;
        }
        configs[configs.len() - 1].clone()
    };
    change(
        group,
        ChangeMembers::ReplaceAllVoters(second),
        "finishing a change of membership",
    )
    .await;
}

/// Whether a change of the membership is under way.
pub(crate) fn is_changing(group: &Group) -> bool {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let effective = &metrics.membership_config;
    effective.membership().get_joint_config().len() > 1
        || metrics.committed_membership_config != *effective
}
