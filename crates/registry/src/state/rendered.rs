//! The bytes of lookups: made once for each change, and handed to every reader.

use super::listed::Listed;
use crate::model::{Fingerprint, Lookup};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// The most lookups whose bytes are kept.
///
/// Engines ask for a handful of types, so this is never reached by them; it bounds the memory of a registry that
/// holds many types and is asked for each. A lookup that finds no service takes no place.
pub(crate) const MAX_RENDERINGS: usize = 256;

/// The most that kept bytes take together, plain and gzipped. 100,000 services of real engines
/// are 28 MB, so two lookups of all of them have room, compressed too.
///
/// What has no room is shared for as long as a reader holds it, and rendered again after that.
pub(crate) const MAX_RENDERED_BYTES: usize = 64 << 20;

/// From this size on a lookup is rendered when its bytes are asked for, and not while the registry
/// is locked. To render a megabyte, to compute its tag and to compress it takes a few milliseconds.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// A lookup's bytes.
#[derive(Debug)]
pub struct Rendered {
    json: OnceLock<Bytes>,
    /// What a large body is rendered from, until that is done.
    listed: Mutex<Option<Listed>>,
    gzip: OnceLock<Bytes>,
    tag: OnceLock<Tag>,
    /// Where it is kept, which must know when it takes more.
    keeper: Weak<Mutex<Places>>,
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

    /// Renders a small list now, and a large one later.
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

    /// Returns the JSON body, with the line end that airlift adds. Renders it first if it is large
    /// and nobody has asked for it yet.
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

    /// Returns whether [`Rendered::make`] takes long enough to hold up whoever calls it.
    pub fn takes_long(&self, with_gzip: bool) -> bool {
        let is_large = self.json.get().is_none_or(|json| json.len() >= LARGE_BYTES);
        let is_made = self.json.get().is_some() && self.tag.get().is_some();
        is_large && !(is_made && (self.gzip.get().is_some() || !with_gzip))
    }

    /// Makes all that an answer is made of, so that it is there when it is asked for.
    pub fn make(&self, with_gzip: bool) {
        self.digest();
        if with_gzip {
            self.gzip();
        }
    }

    fn keep_within_limit(&self) {
        if let Some(keeper) = self.keeper.upgrade() {
            lock(&keeper).keep_within_limit();
        }
    }

    /// What it takes: its body, and the gzipped one, once they are made.
    fn bytes(&self) -> usize {
        let made = |bytes: &OnceLock<Bytes>| bytes.get().map_or(0, Bytes::len);
        made(&self.json) + made(&self.gzip)
    }

    /// A digest of the body, in hex: equal bodies have equal tags, on every node.
    pub fn tag(&self) -> &str {
        &self.digest().hex
    }

    /// The same between quotes, as an `ETag` has it.
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

    /// The same body, gzipped: made when first asked for, and once. This takes about 2 ms for each megabyte.
    pub fn gzip(&self) -> Bytes {
        let json = self.json();
        let mut is_new = false;
        let gzip = self.gzip.get_or_init(|| {
            const IN_MEMORY: &str = "writing into memory cannot fail";
            is_new = true;
            // The fastest level: a body is made anew with every change, and nine parts in ten go
            // already. Room that is not written takes no place, and what is left is given back.
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

/// The renderings that are up to date.
///
/// The lock is held to find a place only; rendering itself is done outside of it, once, while others that want the
/// same lookup wait for it and those that want another do not. A place whose bytes are still to be rendered has what
/// they are rendered from, so that they show the state in which it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Renderings(Arc<Mutex<Places>>);

/// - `places` has at most [`MAX_RENDERINGS`], whose bytes are at most [`MAX_RENDERED_BYTES`] but
///   for one that is being made.
#[derive(Debug)]
struct Places {
    places: BTreeMap<Lookup, Place>,
    uses: u64,
    nothing: Arc<OnceLock<Arc<Rendered>>>,
    /// [`MAX_RENDERED_BYTES`]; less in tests.
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Place {
    rendered: Made,
    last_use: u64,
}

/// A rendering once it is made.
#[derive(Debug)]
enum Made {
    Kept(Arc<OnceLock<Arc<Rendered>>>),
    /// There was no room to keep it; up to date for those who find it.
    Shared(Weak<Rendered>),
}

impl Default for Made {
    fn default() -> Made {
        Made::Kept(Arc::default())
    }
}

impl Default for Places {
    fn default() -> Places {
        Places {
            places: BTreeMap::new(),
            uses: 0,
            nothing: Arc::default(),
            max_bytes: MAX_RENDERED_BYTES,
        }
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Renderings {
    /// The bytes of a lookup, rendered if they are not there.
    pub fn get(&self, lookup: &Lookup, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let place = match self.lock().place(lookup) {
            Ok(made) => return made,
            Err(place) => place,
        };
        let mut is_new = false;
        let made = place.get_or_init(|| {
            is_new = true;
            let keeper = Arc::downgrade(&self.0);
            Arc::new(Rendered { keeper, ..render() })
        });
        if is_new {
            self.lock().keep_within_limit();
        }
        made.clone()
    }

    /// The bytes of every lookup that finds nothing.
    pub fn nothing(&self, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let place = self.lock().nothing.clone();
        place.get_or_init(|| Arc::new(render())).clone()
    }

    /// Something of this type and pool changed.
    pub fn invalidate(&mut self, service_type: &str, pool: &str) {
        let places = &mut self.lock().places;
        if places.is_empty() {
            return;
        }
        places.remove(&Lookup::All);
        places.remove(&Lookup::Type(service_type.to_owned()));
        places.remove(&Lookup::TypeAndPool(
            service_type.to_owned(),
            pool.to_owned(),
        ));
    }

    /// A static changed.
    pub fn invalidate_statics(&mut self) {
        self.lock().places.remove(&Lookup::Statics);
    }

    /// How many are kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().places.len()
    }

    /// What those that are kept take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    #[cfg(test)]
    pub fn set_max_bytes(&self, max_bytes: usize) {
        self.lock().max_bytes = max_bytes;
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        lock(&self.0)
    }
}

impl Places {
    /// What is made of a lookup, or where to make it.
    fn place(&mut self, lookup: &Lookup) -> Result<Arc<Rendered>, Arc<OnceLock<Arc<Rendered>>>> {
        self.uses += 1;
        if !self.places.contains_key(lookup) && self.places.len() >= MAX_RENDERINGS {
            let oldest = self
                .places
                .iter()
                .min_by_key(|(_, place)| place.last_use)
                .map(|(lookup, _)| lookup.clone());
            oldest.map(|lookup| self.places.remove(&lookup));
        }
        let place = self.places.entry(lookup.clone()).or_default();
        place.last_use = self.uses;
        if let Made::Shared(shared) = &place.rendered {
            match shared.upgrade() {
                Some(made) => return Ok(made),
                None => place.rendered = Made::default(),
            }
        }
        match &place.rendered {
            Made::Kept(made) => made.get().cloned().ok_or_else(|| made.clone()),
            Made::Shared(_) => Err(Arc::default()),
        }
    }

    /// Gives up those that were not used for the longest, until the rest is within the limit.
    fn keep_within_limit(&mut self) {
        let mut bytes = self.bytes();
        while bytes > self.max_bytes {
            let kept = self
                .places
                .values_mut()
                .filter_map(|place| Some((place.last_use, place.kept()?.clone(), place)));
            let Some((_, made, place)) = kept.min_by_key(|(last_use, ..)| *last_use) else {
                return;
            };
            bytes -= made.bytes();
            place.rendered = Made::Shared(Arc::downgrade(&made));
        }
    }

    fn bytes(&self) -> usize {
        let kept = self.places.values().filter_map(Place::kept);
        kept.map(|made| made.bytes()).sum()
    }
}

impl Place {
    /// The bytes that are kept, once they are made.
    fn kept(&self) -> Option<&Arc<Rendered>> {
        match &self.rendered {
            Made::Kept(made) => made.get(),
            Made::Shared(_) => None,
        }
    }
}
