//! Every operation on the disk fails once.

use super::crash::block_on;
use super::script::{CAPACITY, Run, Step, append, contents_of_image, dir, entry, everything};
use crate::raft::disk::sim::{Crash, Fault, Random, SimFs};
use crate::raft::disk::{OpenError, Store};
use crate::raft::types::Vote;
use openraft::storage::RaftLogStorage;
use std::sync::Arc;

/// Everything that writes refuses.
async fn refuses_everything(store: &Store) {
    let mut log = store.log_store();
    let next = store.last_log_id().map_or(0, |l| l.index + 1);
    let flushed = match append(&mut log, vec![entry(50, next, 300)]).await {
        Ok(flushed) => flushed.await,
        Err(e) => Err(e),
    };
    assert!(
        flushed.is_err(),
        "an append was acknowledged after a failure"
    );
    assert!(
        log.save_vote(&Vote::new(50, 1)).await.is_err(),
        "a vote was"
    );
    assert!(log.truncate_after(None).await.is_err(), "a truncation was");
    assert!(store.wipe().await.is_err(), "a wipe was");
    let (meta, body) = super::script::snapshot_of(super::script::log_id(50, 500), 10);
    assert!(
        store.snapshots().save(&meta, &body).is_err(),
        "a snapshot was"
    );
}

/// What a failure of the n-th operation came to.
fn fail(steps: &[Step], n: u64, fault: Fault, random: &mut Random) -> &'static str {
    let fs = SimFs::new(CAPACITY);
    fs.fail_operation(n, fault);
    let mut run = Run::new(fs);
    let played = block_on(run.play(steps));
    let Some(struck) = run.fs.struck() else {
        return "none";
    };
    let outcome = match &played {
        Err(OpenError::InUse { lock }) => {
            panic!("{struck}: {} is said to be in use", lock.display())
        }
        Err(refused) => {
            // Only what is damaged may be thrown away.
            assert!(
                matches!(refused, OpenError::NotWritable { .. }),
                "{struck}: {refused}"
            );
            assert!(
                refused.to_string().contains("/data"),
                "{struck}: {refused} names no file"
            );
            "refused"
        }
        // The ballast is a precaution: without room for it, there is none.
        Ok(()) if struck.contains("ballast") && fault != Fault::Io => "tolerated",
        Ok(()) => {
            let failure = run
                .failure()
                .unwrap_or_else(|| panic!("{struck}: nothing was latched"));
            assert!(
                failure.contains("/data") && failure.contains("os error"),
                "{struck}: {failure}"
            );
            if run.is_open() {
                block_on(refuses_everything(&run.store()));
            }
            "latched"
        }
    };
    let acknowledged_before = run.fs.journal();
    block_on(run.close());
    drop(played);
    // Power goes now: what was acknowledged is there, whatever happened to the rest.
    let mut last = Vec::new();
    Crash::default().walk(&acknowledged_before, |crash| {
        last = crash
            .images(random, 2)
            .into_iter()
            .map(|i| (i, crash.acknowledged.clone(), crash.began))
            .collect();
    });
    for (image, acknowledged, began) in last {
        let found = contents_of_image(image).unwrap_or_else(|e| panic!("{struck}: {e}"));
        run.judge(&found, &acknowledged, began)
            .unwrap_or_else(|wrong| panic!("{struck}: {wrong}"));
    }
    outcome
}

/// Proves that the first failed operation, whichever it is, is latched with its file and reason,
/// that nothing is acknowledged after it, and that nothing acknowledged before it is lost.
#[test]
fn a_failed_operation_stops_the_store() {
    let steps: Vec<Step> = everything().into_iter().take(20).collect();
    let mut whole = Run::new(SimFs::new(CAPACITY));
    block_on(whole.play(&steps)).expect("it opens");
    let operations = whole.fs.operations();
    let mut random = Random(3);
    let (mut latched, mut refused) = (0, 0);
    for (fault, offset) in [(Fault::Io, 1), (Fault::Full, 2), (Fault::Short, 3)] {
        for n in (offset..=operations).step_by(6) {
            match fail(&steps, n, fault, &mut random) {
                "latched" => latched += 1,
                "refused" => refused += 1,
                _ => {}
            }
        }
    }
    println!("{operations} operations, {latched} failures latched, {refused} refused at open");
    assert!(
        latched > 50 && refused > 20,
        "{latched} latched, {refused} refused"
    );
}

/// Proves that a failure during the idle seal, which no one waits for, is latched too.
#[test]
fn a_failed_seal_stops_the_store() {
    block_on(async {
        let fs = SimFs::new(CAPACITY);
        let store = Store::open(Arc::new(fs.clone()), &dir()).expect("a new store");
        let mut failed = store.failed();
        append(&mut store.log_store(), vec![entry(0, 0, 300)])
            .await
            .expect("queued")
            .await
            .expect("on disk");
        fs.fail_operation(1, Fault::Io);
        failed
            .wait_for(Option::is_some)
            .await
            .expect("it is latched");
        refuses_everything(&store).await;
    });
}
