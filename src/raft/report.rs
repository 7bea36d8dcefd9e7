//! A human-readable report on each part of consensus, which contains more than the status. Creating
//! the report waits only for the disk to report the free space, and only for a limited time.

use super::bootstrap::group_discovery::Bootstrap;
use super::group::Group;
use super::sample::DISK_TIME_LIMIT;
use super::status::{self, Status};
use openraft::async_runtime::WatchReceiver;

/// Returns a line for each part of consensus and for each member.
pub(super) async fn lines(bootstrap: &Bootstrap, group: Option<&Group>) -> Vec<String> {
    let status = status::of(bootstrap, group);
    let mut lines = vec![of_group(&status)];
    if let Some(waits_for) = &status.group.waits_for {
        lines.push(format!("group: waits for: {waits_for}"));
    }
    for member in &status.members {
        let reachable = if member.reachable {
            "reachable"
        } else {
            "NOT reachable"
        };
        lines.push(format!(
            "member: {} {} at {}, {reachable}, {} entries behind",
            member.node, member.role, member.address, member.lag
        ));
    }
    if let Some(group) = group {
        lines.push(of_log(group));
        lines.push(of_registry(group, &status));
        lines.push(format!(
            "queues: writes waiting {}, reads waiting {}",
            group.write_queue.waiting(),
            group.read_queue.waiting()
        ));
        lines.push(match group.read_queue.since_served() {
            Some(ago) => format!("reads: the last was served {} ms ago", ago.as_millis()),
            None => "reads: none served yet".to_owned(),
        });
    }
    lines.push(of_disk(bootstrap).await);
    lines
}

fn of_group(status: &Status) -> String {
    format!(
        "group: node {}, role {:?}, leader {}, term {}, cluster {}",
        status.node,
        status.role,
        status.leader.as_deref().unwrap_or("none"),
        status.term,
        status.group.cluster.as_deref().unwrap_or("none"),
    )
}

fn of_log(group: &Group) -> String {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let shown = |index: Option<u64>| index.map_or("none".to_owned(), |index| index.to_string());
    format!(
        "log: last {}, committed {}, applied {}, snapshot {}, purged {}",
        shown(metrics.last_log_index),
        shown(metrics.cluster_committed.as_ref().map(|id| id.index())),
        shown(metrics.last_applied.as_ref().map(|id| id.index())),
        shown(metrics.snapshot.as_ref().map(|id| id.index())),
        shown(metrics.purged.as_ref().map(|id| id.index())),
    )
}

fn of_registry(group: &Group, status: &Status) -> String {
    let registry = group.replica.registry();
    format!(
        "registry: nodes {}, services {}, level of commands {}, cluster time {} ms, \
         grace left {} ms",
        registry.nodes().count(),
        status.services,
        registry.level(),
        registry.cluster_ms(),
        registry.grace_left_ms(),
    )
}

async fn of_disk(bootstrap: &Bootstrap) -> String {
    let store = bootstrap.options.store.clone();
    let work = store.work();
    let asked = work.run(move || store.space());
    match tokio::time::timeout(DISK_TIME_LIMIT, asked).await {
        Ok(Ok(Ok(space))) => format!(
            "disk: free {} bytes, floor {} bytes, {}",
            space.free_bytes,
            space.floor_bytes,
            match space.below_floor {
                true => "almost full: no writes are accepted",
                false => "writes are accepted",
            }
        ),
        Ok(Ok(Err(error))) => format!("disk: {error}"),
        Ok(Err(error)) => format!("disk: {error}"),
        Err(_) => format!("disk: no answer within {DISK_TIME_LIMIT:?}"),
    }
}
