//! Parallel execution of the long tests on all processors.

/// Runs `work(number, count)` for each `number` below `count`, all in parallel.
pub(super) fn in_slices<T: Send>(work: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || work(number, count)))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}
