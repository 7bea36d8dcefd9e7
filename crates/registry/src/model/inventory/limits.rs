//! Limits of an inventory.

/// Maximum length of a `node.id` in bytes. The limit leaves room for a host name, which has at most
/// 253 bytes. Every request between nodes contains a node id, so longer ids are refused.
pub const NODE_ID_BYTES_MAX: usize = 256;

/// Maximum length of the address of a discovery node in bytes. The limit leaves room for a host
/// name, which has at most 253 bytes. Addresses are stored in the log, so longer addresses are
/// refused.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// Maximum size in bytes of an inventory that is parsed. 64 entries need about 30 kB; the rest is
/// room for entries of other types.
pub const INVENTORY_BYTES_MAX: usize = 1 << 20;

/// Maximum number of discovery nodes in one inventory. Every node communicates with every other
/// node, and a group of more than nine nodes only gets slower.
pub const MEMBERS_MAX: usize = 64;

/// Returns whether a text is a valid `node.id`: airlift's pattern `[A-Za-z0-9][_A-Za-z0-9-]*`, up
/// to [`NODE_ID_BYTES_MAX`].
pub fn is_node_id(text: &str) -> bool {
    text.len() <= NODE_ID_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
