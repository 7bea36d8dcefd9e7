use super::*;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

const HOST: &str = "node-b";
/// Maximum time of a dial in these tests. It is longer than the delay that a slow name server or a
/// silent address may cause.
const SOON: Duration = Duration::from_millis(500);

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 0))
}

type Script = Arc<Mutex<Box<dyn FnMut() -> io::Result<Vec<SocketAddr>> + Send>>>;

fn unpoisoned<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a resolver whose answers come from a script, which a test can replace.
fn names_of(script: &Script) -> Arc<Resolver> {
    let script = script.clone();
    Arc::new(Resolver::resolved_by(move |_| {
        let mut next = unpoisoned(&script);
        next()
    }))
}

fn script(next: impl FnMut() -> io::Result<Vec<SocketAddr>> + Send + 'static) -> Script {
    Arc::new(Mutex::new(Box::new(next)))
}

fn resolves_to(addresses: Vec<SocketAddr>) -> Script {
    script(move || Ok(addresses.clone()))
}

/// Returns a script that hangs, and a sender. The script returns once an answer is sent with the
/// sender, or once the sender is dropped.
fn hangs() -> (Script, SyncSender<Vec<SocketAddr>>) {
    let (answers, waiting) = sync_channel::<Vec<SocketAddr>>(1);
    let hang = script(move || {
        waiting
            .recv()
            .map_err(|_| io::Error::other("the test is over"))
    });
    (hang, answers)
}

fn replace(script: &Script, with: Script) {
    let with = Arc::into_inner(with).map(|with| with.into_inner());
    if let Some(Ok(with)) = with {
        *unpoisoned(script) = with;
    }
}

/// Dials the host, and returns the address that answers. Only the addresses in `alive` answer. All
/// others refuse the connection if `refuses` is set, and are silent otherwise.
async fn dial(
    resolver: &Arc<Resolver>,
    alive: &[SocketAddr],
    refuses: bool,
) -> Result<SocketAddr, String> {
    dial_and_tell(resolver, alive, refuses, &Notify::new()).await
}

/// Dials the host like [`dial`], and notifies `tried` whenever an address is tried.
async fn dial_and_tell(
    resolver: &Arc<Resolver>,
    alive: &[SocketAddr],
    refuses: bool,
    tried: &Notify,
) -> Result<SocketAddr, String> {
    let attempt = |target: SocketAddr| {
        tried.notify_one();
        let is_alive = alive.contains(&target);
        async move {
            match (is_alive, refuses) {
                (true, _) => Ok(target),
                (false, true) => Err(DialError::from(io::Error::other("refused"))),
                (false, false) => std::future::pending().await,
            }
        }
    };
    match tokio::time::timeout(SOON, connect(resolver, HOST, attempt)).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("not in time".to_owned()),
    }
}

/// A name that fails to resolve, and later hangs, does not delay connections to a peer that was
/// reached before, because the last address of the peer is dialed.
#[tokio::test]
async fn the_last_address_serves_while_the_name_does_not() {
    let state = resolves_to(vec![at(1)]);
    let resolver = names_of(&state);
    assert_eq!(dial(&resolver, &[at(1)], true).await, Ok(at(1)));
    replace(&state, script(|| Err(io::Error::other("try again later"))));
    assert_eq!(dial(&resolver, &[at(1)], true).await, Ok(at(1)));
    let (hang, _answers) = hangs();
    replace(&state, hang);
    assert_eq!(dial(&resolver, &[at(1)], true).await, Ok(at(1)));
    let began = clock::now();
    for _ in 0..20 {
        assert_eq!(dial(&resolver, &[at(1)], true).await, Ok(at(1)));
    }
    let took = began.elapsed();
    assert!(
        took < SOON,
        "each of them waited for a name that hangs: {took:?}"
    );
}

/// A peer that moved is found at its new address, no matter how slowly the name resolves. The old
/// address may refuse connections or be silent.
#[tokio::test]
async fn a_new_address_is_found() {
    for refuses in [true, false] {
        let state = resolves_to(vec![at(1)]);
        let resolver = names_of(&state);
        assert_eq!(dial(&resolver, &[at(1)], refuses).await, Ok(at(1)));
        replace(&state, resolves_to(vec![at(2)]));
        assert_eq!(dial(&resolver, &[at(2)], refuses).await, Ok(at(2)));
        let (slow, answers) = hangs();
        replace(&state, slow);
        let alive = [at(3)];
        let old_is_tried = Notify::new();
        let late = async {
            old_is_tried.notified().await;
            answers.send(vec![at(3)]).expect("it is waited for");
        };
        let found = dial_and_tell(&resolver, &alive, refuses, &old_is_tried);
        let (found, ()) = tokio::join!(found, late);
        assert_eq!(found, Ok(at(3)), "refuses: {refuses}");
    }
}

/// A resolution outlives the dial that began it, and its result serves the next dial.
#[tokio::test]
async fn a_late_answer_serves_the_next_dial() {
    let (slow, answers) = hangs();
    let resolver = names_of(&slow);
    let late = dial(&resolver, &[at(1)], true).await;
    assert_eq!(late, Err("not in time".to_owned()));
    let trouble = resolver.error(HOST).expect("it is late");
    assert_eq!(
        trouble.to_string(),
        "node-b does not resolve: no answer from the name server"
    );
    answers.send(vec![at(1)]).expect("it is waited for");
    assert_eq!(dial(&resolver, &[at(1)], true).await, Ok(at(1)));
}

/// The error for a name that never resolved contains the name.
#[tokio::test]
async fn a_name_that_never_resolved_is_named() {
    let resolver = names_of(&script(|| Err(io::Error::other("no such host"))));
    let reason = dial(&resolver, &[], true)
        .await
        .expect_err("it has no address");
    assert_eq!(reason, "node-b does not resolve: no such host");
}

/// A name that temporarily resolves to another host does not prevent connections to the address at
/// which the peer last answered.
#[tokio::test]
async fn where_a_peer_answered_is_tried_last() {
    for refuses in [true, false] {
        let state = resolves_to(vec![at(1)]);
        let resolver = names_of(&state);
        assert_eq!(dial(&resolver, &[at(1)], refuses).await, Ok(at(1)));
        replace(&state, resolves_to(vec![at(9)]));
        for _ in 0..3 {
            assert_eq!(dial(&resolver, &[at(1)], refuses).await, Ok(at(1)));
        }
    }
}

/// A silent address does not keep the dial from trying the next of several addresses.
#[tokio::test]
async fn a_silent_address_does_not_hold_up_the_others() {
    let resolver = names_of(&resolves_to(vec![at(1), at(2), at(3)]));
    assert_eq!(dial(&resolver, &[at(3)], false).await, Ok(at(3)));
}
