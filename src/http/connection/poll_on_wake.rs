//! A wrapper that polls a future only after that future's own wake-up, however often the task polls
//! the wrapper.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled only after its own wake-up.
///
/// A connection is polled twice for each request. Without this type, each poll would also poll the
/// futures that wait for the end of the connection. Their polls would be a considerable part of the
/// cost of a small response.
///
/// - The future belongs to one task, whose waker must stay the same.
/// - The future must not wait on a resource whose waker another future of the task can replace. A
///   socket, for example, keeps only the waker of its last reader.
pub(super) struct PollOnWake<F> {
    future: Pin<Box<F>>,
    wake: Option<(Arc<WakeFlag>, Waker)>,
}

/// A waker that notes the wake-up before it wakes the task.
struct WakeFlag {
    woken: AtomicBool,
    task: Waker,
}

impl<F> PollOnWake<F> {
    pub(super) fn new(future: F) -> PollOnWake<F> {
        PollOnWake {
            future: Box::pin(future),
            wake: None,
        }
    }
}

impl<F: Future> Future for PollOnWake<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let PollOnWake { future, wake } = &mut *self;
        let (flag, waker) = wake.get_or_insert_with(|| {
            let flag = Arc::new(WakeFlag {
                woken: AtomicBool::new(true),
                task: cx.waker().clone(),
            });
            (flag.clone(), flag.into())
        });
        // The flag is cleared before the poll, so that no wake-up from here on is lost.
        if !flag.woken.load(Ordering::Acquire) || !flag.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The flag is set by a swap and not by a store, so that a poll after two wake-ups also sees
        // the memory writes before the first wake-up.
        self.woken.swap(true, Ordering::AcqRel);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::sync::oneshot;

    /// The inner future is polled once at first, and later only after its own wake-up, however
    /// often the task is polled. A wake-up of the inner future also wakes the task.
    #[tokio::test(start_paused = true)]
    async fn it_is_polled_when_it_wakes() {
        let (tell, mut asked) = oneshot::channel::<()>();
        let mut polls = 0;
        let mut on_wake = PollOnWake::new(poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut asked).poll(cx)
        }));
        let often = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let mut often = std::pin::pin!(often);
        tokio::select! {
            biased;
            _ = &mut on_wake => panic!("nobody woke it"),
            () = &mut often => {}
        }
        let (_, ended) = tokio::join!(async { tell.send(()) }, &mut on_wake);
        assert_eq!(ended, Ok(()));
        drop(on_wake);
        assert_eq!(polls, 2);
    }
}
