//! What an inventory may hold.

/// The longest `node.id`: a host name has at most 253 bytes, and a node id travels in every request between nodes.
pub const NODE_ID_BYTES_MAX: usize = 256;

/// The longest address of a discovery node: a host name has at most 253 bytes, and an address
/// travels in the log.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// The largest inventory that is parsed: 64 entries need some 30 kB, the rest may be entries of other types.
pub const INVENTORY_BYTES_MAX: usize = 1 << 20;

/// The most discovery nodes in one inventory. Every one talks to every other, and a group beyond nine only gets slower.
pub const MEMBERS_MAX: usize = 64;

/// Whether a text may be a `node.id`: airlift's pattern `[A-Za-z0-9][_A-Za-z0-9-]*`, up to [`NODE_ID_BYTES_MAX`].
pub fn is_node_id(text: &str) -> bool {
    text.len() <= NODE_ID_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
