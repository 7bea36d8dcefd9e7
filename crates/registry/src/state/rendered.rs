//! The bytes of lookups: rendered once for each change, and shared by all readers.

use super::listed::Listed;
use crate::model::{Fingerprint, Lookup};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Maximum number of lookups whose bytes are cached.
///
/// The limit bounds the memory of a registry with many types if clients look up each type. Engines
/// request a handful of types and never reach the limit. A lookup without services takes no cache
/// entry.
pub(crate) const MAX_RENDERINGS: usize = 256;

/// Maximum size of all cached bytes, plain and gzipped. A lookup of 100,000 services of real
/// engines takes 28 MB, so the cache has room for two such lookups with their compressed forms.
///
/// A rendering that does not fit is not cached. Readers share the rendering while one of them uses
/// it. A later reader renders the lookup again.
pub(crate) const MAX_RENDERED_BYTES: usize = 64 << 20;

/// Minimum size of a lookup that is rendered on first use instead of under the registry's lock.
/// Rendering a megabyte, computing its tag and compressing it take a few milliseconds.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// The bytes of a lookup.
#[derive(Debug)]
pub struct Rendered {
    json: OnceLock<Bytes>,
    /// The content of a large lookup, until its body is rendered.
    listed: Mutex<Option<Listed>>,
    gzip: OnceLock<Bytes>,
    tag: OnceLock<Tag>,
    /// The cache that contains this rendering. When this rendering has grown, the cache evicts
    /// renderings if the cache exceeds its limit.
    keeper: Weak<Mutex<CacheEntries>>,
}

#[derive(Debug)]
struct Tag {
    hex: Box<str>,
    quoted: Bytes,
}

impl Rendered {
    /// Wraps a JSON body.
    pub fn new(json: Vec<u8>) -> Self {
        Self::with(OnceLock::from(Bytes::from(json)), None)
    }

    /// Renders a small lookup at once. A large lookup is rendered on first use.
    pub(crate) fn of(listed: Listed) -> Self {
        match listed.packed_bytes() < LARGE_BYTES {
            true => Self::new(listed.render()),
            false => Self::with(OnceLock::new(), Some(listed)),
        }
    }

    fn with(json: OnceLock<Bytes>, listed: Option<Listed>) -> Self {
        Self {
            json,
            listed: Mutex::new(listed),
            gzip: OnceLock::new(),
            tag: OnceLock::new(),
            keeper: Weak::new(),
        }
    }

    /// Returns the JSON body, with the trailing newline that airlift adds. Renders a large body on
    /// the first call.
    pub fn json(&self) -> &Bytes {
        let mut is_new = false;
        let json = self.json.get_or_init(|| {
            is_new = true;
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            listed.take().map(Listed::render).unwrap_or_default().into()
        });
        if is_new {
            self.keep_within_limit();
        }
        json
    }

    /// Returns whether [`Rendered::make`] takes long enough to delay other tasks of the caller's
    /// thread.
    pub fn takes_long(&self, with_gzip: bool) -> bool {
        let is_large = self.json.get().is_none_or(|json| json.len() >= LARGE_BYTES);
        let is_made = self.json.get().is_some() && self.tag.get().is_some();
        is_large && !(is_made && (self.gzip.get().is_some() || !with_gzip))
    }

    /// Renders the body, its tag and, if `with_gzip` is set, the gzipped body. Later calls of
    /// [`Rendered::json`], [`Rendered::tag`] and [`Rendered::gzip`] return at once.
    pub fn make(&self, with_gzip: bool) {
        self.digest();
        if with_gzip {
            self.gzip();
        }
    }

    /// Makes the cache that contains this rendering evict renderings until the cache is within its
    /// limit. This is necessary after this rendering has grown.
    fn keep_within_limit(&self) {
        if let Some(keeper) = self.keeper.upgrade() {
            lock(&keeper).keep_within_limit();
        }
    }

    /// Returns the size of the rendering: the body and the gzipped body, if they exist.
    fn bytes(&self) -> usize {
        let made = |bytes: &OnceLock<Bytes>| bytes.get().map_or(0, Bytes::len);
        made(&self.json) + made(&self.gzip)
    }

    /// Returns a digest of the body in hexadecimal: equal bodies have equal tags on every node.
    pub fn tag(&self) -> &str {
        &self.digest().hex
    }

    /// Returns the tag in quotes, as in an `ETag` header.
    pub fn quoted_tag(&self) -> Bytes {
        self.digest().quoted.clone()
    }

    fn digest(&self) -> &Tag {
        self.tag.get_or_init(|| {
            let digest = Fingerprint::of("lookup").bytes(self.json()).finish();
            Tag {
                hex: format!("{digest:032x}").into(),
                quoted: format!("\"{digest:032x}\"").into(),
            }
        })
    }

    /// Returns the gzipped body. It is compressed once, on the first call, which takes about 2 ms
    /// per megabyte.
    pub fn gzip(&self) -> Bytes {
        let json = self.json();
        let mut is_new = false;
        let gzip = self.gzip.get_or_init(|| {
            const IN_MEMORY: &str = "writing into memory cannot fail";
            is_new = true;
            // The fastest level is used because a body is compressed again after every change, and
            // this level already removes nine tenths. Unwritten capacity takes no physical memory,
            // and the excess is returned.
            let room = Vec::with_capacity(json.len());
            let mut encoder = GzEncoder::new(room, Compression::fast());
            encoder.write_all(json).expect(IN_MEMORY);
            let mut gzip = encoder.finish().expect(IN_MEMORY);
            gzip.shrink_to_fit();
            gzip.into()
        });
        if is_new {
            self.keep_within_limit();
        }
        gzip.clone()
    }
}

/// A cache of up-to-date renderings.
///
/// The lock is held only to find a cache entry. Each lookup is rendered once, without the lock.
/// Readers of the same lookup wait for the rendering, and readers of other lookups do not wait.
///
/// A large lookup stores its services ([`Listed`]) until they are rendered on first use. The
/// rendered bytes therefore show the state at the time of the lookup.
#[derive(Debug, Default)]
pub(crate) struct Renderings(Arc<Mutex<CacheEntries>>);

/// The entries of the cache.
///
/// `entries` has at most [`MAX_RENDERINGS`] entries with at most [`MAX_RENDERED_BYTES`] bytes in
/// total. After a rendering has grown, the total may exceed this limit until other renderings are
/// evicted.
#[derive(Debug)]
struct CacheEntries {
    entries: BTreeMap<Lookup, CacheEntry>,
    uses: u64,
    nothing: Arc<OnceLock<Arc<Rendered>>>,
    /// The limit of the cached bytes: [`MAX_RENDERED_BYTES`], or a lower value in tests.
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct CacheEntry {
    rendered: CachedBytes,
    last_use: u64,
}

/// The rendering in a cache entry. A new entry is empty until its rendering is made.
#[derive(Debug)]
enum CachedBytes {
    Kept(Arc<OnceLock<Arc<Rendered>>>),
    /// A rendering that does not fit into the cache, but is shared while a reader holds it.
    Shared(Weak<Rendered>),
}

impl Default for CachedBytes {
    fn default() -> CachedBytes {
        CachedBytes::Kept(Arc::default())
    }
}

impl Default for CacheEntries {
    fn default() -> CacheEntries {
        CacheEntries {
            entries: BTreeMap::new(),
            uses: 0,
            nothing: Arc::default(),
            max_bytes: MAX_RENDERED_BYTES,
        }
    }
}

fn lock(entries: &Mutex<CacheEntries>) -> MutexGuard<'_, CacheEntries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Renderings {
    /// Returns the bytes of a lookup, and renders them if they are not cached.
    pub fn get(&self, lookup: &Lookup, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let cell = match self.lock().cell(lookup) {
            Ok(made) => return made,
            Err(cell) => cell,
        };
        let mut is_new = false;
        let made = cell.get_or_init(|| {
            is_new = true;
            let keeper = Arc::downgrade(&self.0);
            Arc::new(Rendered { keeper, ..render() })
        });
        if is_new {
            self.lock().keep_within_limit();
        }
        made.clone()
    }

    /// Returns the bytes that all lookups without services share.
    pub fn nothing(&self, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let cell = self.lock().nothing.clone();
        cell.get_or_init(|| Arc::new(render())).clone()
    }

    /// Removes the renderings that contain this type and pool.
    pub fn invalidate(&mut self, service_type: &str, pool: &str) {
        let entries = &mut self.lock().entries;
        if entries.is_empty() {
            return;
        }
        entries.remove(&Lookup::All);
        entries.remove(&Lookup::Type(service_type.to_owned()));
        entries.remove(&Lookup::TypeAndPool(
            service_type.to_owned(),
            pool.to_owned(),
        ));
    }

    /// Removes the rendering of the static services.
    pub fn invalidate_statics(&mut self) {
        self.lock().entries.remove(&Lookup::Statics);
    }

    /// Returns the number of cache entries.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Returns the size of the cached renderings in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    #[cfg(test)]
    pub fn set_max_bytes(&self, max_bytes: usize) {
        self.lock().max_bytes = max_bytes;
    }

    fn lock(&self) -> MutexGuard<'_, CacheEntries> {
        lock(&self.0)
    }
}

impl CacheEntries {
    /// Returns the rendering of a lookup, or else the cell in which to make it.
    fn cell(&mut self, lookup: &Lookup) -> Result<Arc<Rendered>, Arc<OnceLock<Arc<Rendered>>>> {
        self.uses += 1;
        if !self.entries.contains_key(lookup) && self.entries.len() >= MAX_RENDERINGS {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.last_use)
                .map(|(lookup, _)| lookup.clone());
            oldest.map(|lookup| self.entries.remove(&lookup));
        }
        let entry = self.entries.entry(lookup.clone()).or_default();
        entry.last_use = self.uses;
        if let CachedBytes::Shared(shared) = &entry.rendered {
            match shared.upgrade() {
                Some(made) => return Ok(made),
                None => entry.rendered = CachedBytes::default(),
            }
        }
        match &entry.rendered {
            CachedBytes::Kept(made) => made.get().cloned().ok_or_else(|| made.clone()),
            CachedBytes::Shared(_) => Err(Arc::default()),
        }
    }

    /// Evicts the least recently used renderings until the rest is within the limit.
    fn keep_within_limit(&mut self) {
        let mut bytes = self.bytes();
        while bytes > self.max_bytes {
            let kept = self
                .entries
                .values_mut()
                .filter_map(|entry| Some((entry.last_use, entry.kept()?.clone(), entry)));
            let Some((_, made, entry)) = kept.min_by_key(|(last_use, ..)| *last_use) else {
                return;
            };
            bytes -= made.bytes();
            entry.rendered = CachedBytes::Shared(Arc::downgrade(&made));
        }
    }

    fn bytes(&self) -> usize {
        let kept = self.entries.values().filter_map(CacheEntry::kept);
        kept.map(|made| made.bytes()).sum()
    }
}

impl CacheEntry {
    /// Returns the cached rendering if it was made already.
    fn kept(&self) -> Option<&Arc<Rendered>> {
        match &self.rendered {
            CachedBytes::Kept(made) => made.get(),
            CachedBytes::Shared(_) => None,
        }
    }
}
