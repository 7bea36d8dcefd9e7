use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

const HOST: &str = "node-b";
/// Maximum time to wait for an answer. It is longer than any answer takes here.
const LIMIT: Duration = Duration::from_secs(10);

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 0))
}

/// Returns a resolver, the sender of its answers, and a counter of its queries. Each answer that is
/// sent serves one query.
fn told() -> (
    Arc<Resolver>,
    mpsc::SyncSender<io::Result<Vec<SocketAddr>>>,
    Arc<AtomicUsize>,
) {
    let (answers, waiting) = mpsc::sync_channel(100);
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, waiting) = (asked.clone(), Mutex::new(waiting));
    let resolver = Resolver::resolved_by(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let answer = lock(&waiting).recv();
        answer.unwrap_or_else(|_| Err(io::Error::other("the test is over")))
    });
    (Arc::new(resolver), answers, asked)
}

fn failed() -> io::Result<Vec<SocketAddr>> {
    Err(io::Error::other("try again later"))
}

/// A single thread waits for a name that hangs, no matter how many dials need the name. All of them
/// receive the answer, and later dials begin a new resolution.
#[tokio::test]
async fn a_name_is_resolved_once_at_a_time() {
    let (resolver, answers, asked) = told();
    let questions: Vec<_> = (0..100).map(|_| resolver.resolve(HOST)).collect();
    answers.send(Ok(vec![at(1)])).expect("it is read");
    for mut resolution in questions {
        let answer = tokio::time::timeout(LIMIT, resolution.answer()).await;
        assert_eq!(answer.expect("all are told").ok(), Some(vec![at(1)]));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    answers.send(Ok(vec![at(2)])).expect("it is read");
    let mut next = resolver.resolve(HOST);
    assert_eq!(next.remembered, [at(1)]);
    assert_eq!(next.answer().await.ok(), Some(vec![at(2)]));
}

/// The addresses of a name are kept while it does not resolve, and the error contains the name.
#[tokio::test]
async fn a_failure_forgets_nothing() {
    let (resolver, answers, _) = told();
    answers.send(Ok(vec![at(1)])).expect("it is read");
    resolver.resolve(HOST).answer().await.expect("it resolves");
    assert!(resolver.error(HOST).is_none());
    answers.send(failed()).expect("it is read");
    resolver.resolve(HOST).answer().await.expect_err("it fails");
    let trouble = resolver.error(HOST).expect("it failed");
    assert_eq!(
        trouble.to_string(),
        "node-b does not resolve: try again later"
    );
    assert!(!resolver.is_unknown(HOST));
    answers.send(Ok(vec![at(3)])).expect("it is read");
    let mut resolution = resolver.resolve(HOST);
    assert_eq!(resolution.remembered, [at(1)]);
    resolution.answer().await.expect("it resolves again");
    assert!(resolver.error(HOST).is_none());
}

/// A name server that hangs occupies at most [`MAX_AT_ONCE`] threads, one per name.
#[tokio::test]
async fn few_names_are_resolved_at_once() {
    let (resolver, answers, asked) = told();
    let mut refused = 0;
    for i in 0..50 {
        let mut resolution = resolver.resolve(&format!("node-{i}"));
        let answer = tokio::time::timeout(Duration::ZERO, resolution.answer()).await;
        refused += usize::from(matches!(answer, Ok(Err(_))));
    }
    assert_eq!(refused, 50 - MAX_AT_ONCE);
    assert!(asked.load(Ordering::Relaxed) <= MAX_AT_ONCE);
    drop(answers);
}

/// At most [`MAX_NAMES`] names are remembered, no matter how many are resolved.
#[tokio::test]
async fn the_names_remembered_are_bounded() {
    let resolver = Arc::new(Resolver::resolved_by(|_| Ok(vec![at(1)])));
    for i in 0..2 * MAX_NAMES {
        let answer = resolver.resolve(&format!("node-{i}")).answer().await;
        answer.expect("it resolves");
    }
    assert!(lock(&resolver.known).len() <= MAX_NAMES);
}
