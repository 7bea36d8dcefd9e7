//! Ids as airlift's clients expect them.

use super::fingerprint::Fingerprint;

/// A random UUID (version 4): Java clients read a service's id as a UUID and refuse anything else.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_uuid() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| std::io::Error::other(format!("no random id could be drawn: {error}")))?;
    Ok(uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string())
}

/// The UUID of a name: always the same one (version 8, from a digest), and another for another name.
pub fn uuid_of(name: &str) -> String {
    let digest = Fingerprint::of("uuid").text(name).finish();
    uuid::Builder::from_custom_bytes(digest.to_le_bytes())
        .into_uuid()
        .to_string()
}
