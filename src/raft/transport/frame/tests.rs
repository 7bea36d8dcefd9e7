use super::*;
use tokio::io::AsyncWriteExt;

fn decoder(max_bytes: usize) -> FrameCodec {
    FrameCodec { max_bytes }
}

/// A length prefix over the limit ends the connection before the rest of the frame is read.
#[tokio::test]
async fn a_length_over_the_limit_is_refused_at_once() {
    let (near, mut far) = tokio::io::duplex(64);
    let (_sender, mut receiver) = split(near);
    let length = MAX_NON_MEMBER_FRAME_BYTES as u32 + 1;
    far.write_all(&length.to_be_bytes()).await.expect("written");
    // The length alone is enough to refuse the frame, so nothing more is sent.
    drop(far);
    let refused = receiver.receive::<u8>().await.expect_err("it is too long");
    assert!(
        refused
            .to_string()
            .contains("16385 bytes is over the limit of 16384"),
        "{refused}"
    );
}

/// Memory is reserved for the bytes that arrive, not for the length that the prefix claims.
#[test]
fn a_claimed_length_takes_no_room() {
    let mut frames = decoder(MAX_FRAME_BYTES);
    let mut buffer = BytesMut::new();
    buffer.put_u32(MAX_FRAME_BYTES as u32);
    for _ in 0..100 {
        assert!(frames.decode(&mut buffer).expect("it may come").is_none());
        assert!(buffer.capacity() <= 4 * buffer.len() + 2 * READ_AHEAD_BYTES);
        buffer.put_bytes(1, READ_AHEAD_BYTES);
    }
}

/// The read buffer does not keep the memory of a large frame after the frame is taken out of it.
#[test]
fn the_room_of_a_large_frame_is_given_back() {
    let mut frames = decoder(MAX_FRAME_BYTES);
    let mut buffer = BytesMut::new();
    let large = Bytes::from(vec![7; 4 << 20]);
    frames.encode(large.clone(), &mut buffer).expect("it fits");
    let small = Bytes::from_static(b"next");
    frames.encode(small.clone(), &mut buffer).expect("it fits");
    let frame = frames.decode(&mut buffer).expect("whole");
    assert_eq!(frame.as_deref(), Some(&large[..]));
    assert!(buffer.capacity() <= KEPT_CAPACITY_BYTES);
    let frame = frames.decode(&mut buffer).expect("whole");
    assert_eq!(frame.as_deref(), Some(&small[..]));
    assert_eq!(frames.decode(&mut buffer).expect("nothing is left"), None);
}

/// A message that its reader would refuse is not sent, and the error names both sizes.
#[test]
fn a_message_over_its_readers_limit_is_not_written() {
    let text = "x".repeat(100);
    assert!(encode(1, &text, 200).is_ok());
    let refused = encode(1, &text, 100)
        .expect_err("it is too long")
        .to_string();
    assert_eq!(refused, "a message of 102 bytes is over the limit of 100");
    let too_long = Bytes::from(vec![0; 11]);
    assert!(decoder(10).encode(too_long, &mut BytesMut::new()).is_err());
}
