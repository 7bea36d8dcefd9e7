//! Memory tests: the largest bodies, in the shapes that take the most memory for their size.

use peak_alloc::PeakAlloc;
use quorate::model::{Announcement, StaticService};
use quorate_fuzz::shapes::{BODY_BYTES, filled, shapes};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Maximum memory for each byte of a body, whatever its content.
const PER_BYTE: usize = 2;
/// Maximum memory in addition to [`PER_BYTE`]: enough to parse the longest text with escapes and
/// the most properties of one service.
const BASE_BYTES: usize = 256 << 10;

/// Returns the result of a call and its peak memory.
fn peak(call: impl FnOnce() -> bool) -> (bool, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = call();
    (done, MEMORY.peak_usage().saturating_sub(before))
}

/// The memory for parsing an announcement is at most twice the size of its body, plus a constant.
/// The shape of the body does not matter. This is the only test of this file, since memory is
/// counted for the whole process.
#[test]
fn no_shape_of_a_body_takes_more_than_twice_its_size() {
    for (name, body, is_taken) in shapes() {
        assert!(
            (BODY_BYTES * 9 / 10..=BODY_BYTES).contains(&body.len()),
            "{name}: {}",
            body.len()
        );
        let (taken, took) = peak(|| Announcement::from_json("n", body.as_bytes(), "test").is_ok());
        println!("{name}: {took} bytes for {}", body.len());
        assert_eq!(taken, is_taken, "{name}");
        assert!(
            took <= PER_BYTE * body.len() + BASE_BYTES,
            "{name}: {took} bytes"
        );
    }
    let properties = filled(|number| format!(r#""{:06}":"{}""#, 999_999 - number, "z".repeat(100)));
    let body =
        format!(r#"{{"environment":"test","type":"t","pool":"p","properties":{{{properties}}}}}"#);
    let (taken, took) = peak(|| StaticService::from_json("i", body.as_bytes(), "test").is_ok());
    println!("static: {took} bytes for {}", body.len());
    assert!(
        taken && took <= PER_BYTE * body.len() + BASE_BYTES,
        "static: {took} bytes"
    );
}
