//! Frames of the transport: a length, a request number and a postcard message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite};

/// Maximum size of a frame between members. The largest message is an append with up to 1 MB of
/// entries, or with a single larger entry. The largest entry has one announcement of the maximum
/// size. The remaining bytes are headroom.
pub(crate) const MAX_FRAME_BYTES: usize = 64 << 20;

/// Maximum size of a frame from a peer that has not sent its hello yet, or that is not a member.
pub(crate) const MAX_NON_MEMBER_FRAME_BYTES: usize = 16 << 10;

/// Maximum size of an answer to a node that is not a member: a view of a group with as many
/// founders as an inventory may list.
pub(crate) const MAX_REPLY_TO_NON_MEMBER_BYTES: usize = 256 << 10;

/// Initial capacity for a message before its length is known. To grow the buffer byte by byte would
/// cost more than most messages do.
const INITIAL_CAPACITY_BYTES: usize = 4 << 10;

/// Capacity of a connection's read buffer before its peer is known.
const MIN_READ_CAPACITY_BYTES: usize = 512;

/// Maximum number of bytes reserved for the missing part of a frame. Once more bytes than this have
/// been received, the maximum is the number of received bytes.
const READ_AHEAD_BYTES: usize = 8 << 10;

/// Maximum size of a frame whose buffer is kept for later frames.
const KEPT_CAPACITY_BYTES: usize = 256 << 10;

const LENGTH_BYTES: usize = size_of::<u32>();

/// The codec for the length prefix of frames.
struct FrameCodec {
    /// Maximum length of a frame. A longer length prefix ends the connection.
    max_bytes: usize,
}

impl Decoder for FrameCodec {
    type Item = BytesMut;
    type Error = io::Error;

    /// Decodes one frame. Memory is reserved as bytes arrive, not for the length that the prefix
    /// claims.
    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let Some((head, _)) = buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.max_bytes {
            return Err(too_large(length, self.max_bytes));
        }
        let missing = (LENGTH_BYTES + length).saturating_sub(buffer.len());
        if missing > 0 {
            buffer.reserve(missing.min(buffer.len().max(READ_AHEAD_BYTES)));
            return Ok(None);
        }
        buffer.advance(LENGTH_BYTES);
        let frame = buffer.split_to(length);
        if length > KEPT_CAPACITY_BYTES {
            *buffer = BytesMut::from(&buffer[..]);
        }
        Ok(Some(frame))
    }
}

impl Encoder<Bytes> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, buffer: &mut BytesMut) -> io::Result<()> {
        let length = u32::try_from(frame.len())
            .ok()
            .filter(|_| frame.len() <= self.max_bytes)
            .ok_or_else(|| too_large(frame.len(), self.max_bytes))?;
        buffer.reserve(LENGTH_BYTES + frame.len());
        buffer.put_u32(length);
        buffer.extend_from_slice(&frame);
        Ok(())
    }
}

fn too_large(length: usize, max_bytes: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a message of {length} bytes is over the limit of {max_bytes}"),
    )
}

/// The sending half of a connection.
pub(crate) struct Sender<IO> {
    frames: FramedWrite<WriteHalf<IO>, FrameCodec>,
}

/// The receiving half of a connection.
pub(crate) struct Receiver<IO> {
    frames: FramedRead<ReadHalf<IO>, FrameCodec>,
}

/// Splits a connection into its two directions. Received frames have the size limit for non-members
/// until [`Receiver::set_max_frame_bytes`] raises it.
pub(crate) fn split<IO: AsyncRead + AsyncWrite>(io: IO) -> (Sender<IO>, Receiver<IO>) {
    let (read, write) = tokio::io::split(io);
    let (sent, received) = (
        FrameCodec {
            max_bytes: MAX_FRAME_BYTES,
        },
        FrameCodec {
            max_bytes: MAX_NON_MEMBER_FRAME_BYTES,
        },
    );
    (
        Sender {
            frames: FramedWrite::with_capacity(write, sent, MIN_READ_CAPACITY_BYTES),
        },
        Receiver {
            frames: FramedRead::with_capacity(read, received, MIN_READ_CAPACITY_BYTES),
        },
    )
}

impl<IO: AsyncWrite> Sender<IO> {
    /// Sends one encoded message, and the messages that `more` returns without waiting, in as few
    /// writes as possible.
    pub(crate) async fn send_all(
        &mut self,
        first: Bytes,
        mut more: impl FnMut() -> Option<Bytes>,
    ) -> io::Result<()> {
        self.frames.feed(first).await?;
        while let Some(next) = more() {
            self.frames.feed(next).await?;
        }
        SinkExt::<Bytes>::flush(&mut self.frames).await
    }

    /// Sends one message of the kinds that non-members exchange: a hello, the reply to a hello, or
    /// an answer to a non-member.
    pub(crate) async fn send<T: Serialize>(
        &mut self,
        number: u64,
        message: &T,
        max_bytes: usize,
    ) -> io::Result<()> {
        let frame = encode(number, message, max_bytes)?;
        self.send_all(frame, || None).await
    }
}

impl<IO: AsyncRead> Receiver<IO> {
    /// Sets the maximum length of the following frames.
    pub(crate) fn set_max_frame_bytes(&mut self, max_bytes: usize) {
        self.frames.decoder_mut().max_bytes = max_bytes;
    }

    /// Returns the next message and its number, or `None` when the other side has closed the
    /// connection.
    pub(crate) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(u64, T)>> {
        match self.frames.next().await {
            None => Ok(None),
            Some(frame) => decode(&frame?).map(Some),
        }
    }
}

/// Encodes a message as the bytes of a frame.
///
/// # Errors
/// When the frame is larger than `max_bytes`, so that its reader would refuse it.
pub(crate) fn encode<T: Serialize>(
    number: u64,
    message: &T,
    max_bytes: usize,
) -> io::Result<Bytes> {
    let room = Vec::with_capacity(INITIAL_CAPACITY_BYTES);
    let bytes = postcard::to_extend(&(number, message), room).map_err(io::Error::other)?;
    match bytes.len() <= max_bytes {
        true => Ok(Bytes::from(bytes)),
        false => Err(too_large(bytes.len(), max_bytes)),
    }
}

/// Decodes a frame into a request number and a message.
pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<(u64, T)> {
    postcard::from_bytes(frame).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a peer's message is unreadable: {error}"),
        )
    })
}

#[cfg(test)]
mod tests;
