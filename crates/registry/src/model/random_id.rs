//! Ids in the form that airlift's clients expect.

use super::fingerprint::Fingerprint;

/// Returns a random UUID (version 4). Java clients parse a service's id as a UUID and refuse
/// anything else.
///
/// # Errors
/// Returns an error if the system provides no randomness.
pub fn random_uuid() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| std::io::Error::other(format!("cannot generate a random id: {error}")))?;
    Ok(uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string())
}

/// Returns the UUID of a name (version 8, derived from a digest). A name always has the same UUID,
/// and different names have different UUIDs.
pub fn uuid_of(name: &str) -> String {
    let digest = Fingerprint::of("uuid").text(name).finish();
    uuid::Builder::from_custom_bytes(digest.to_le_bytes())
        .into_uuid()
        .to_string()
}
