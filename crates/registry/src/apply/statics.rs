//! Applies additions and removals of static services.

use crate::command::Outcome;
use crate::model::StaticService;
use crate::registry::Registry;
use crate::state::static_entry::StaticEntry;
use std::sync::Arc;

impl Registry {
    /// Adds a static service, or replaces the one with the same id, unless the registry is full.
    pub(crate) fn add_static(&mut self, index: u64, service: &StaticService) -> Outcome {
        if self.static_service(&service.id) == Some(service) {
            return Outcome::Applied;
        }
        let entry = StaticEntry {
            service: Arc::new(service.clone()),
            changed_index: index,
        };
        if !self.fits_static(self.statics.get(service.id.as_str()), &entry) {
            return Outcome::CapacityExceeded;
        }
        self.remove_static(index, &service.id);
        self.held_bytes += entry.cost_bytes(self.level);
        let id: Arc<str> = Arc::from(service.id.as_str());
        self.change_pool(&service.service_type, &service.pool, index, |of_pool| {
            of_pool.statics.insert(id.clone());
        });
        self.effects.static_put(service);
        self.sum = self.sum.wrapping_add(entry.element());
        self.statics.insert(id, entry);
        self.services += 1;
        self.static_changed(index);
        Outcome::Applied
    }

    /// Removes the static service with this id, if there is one.
    pub(crate) fn remove_static(&mut self, index: u64, id: &str) -> Outcome {
        if let Some(entry) = self.statics.remove(id) {
            let service = &entry.service;
            self.sum = self.sum.wrapping_sub(entry.element());
            self.held_bytes -= entry.cost_bytes(self.level);
            self.services -= 1;
            self.change_pool(&service.service_type, &service.pool, index, |of_pool| {
                of_pool.statics.remove(id);
            });
            self.effects.static_removed(service);
            self.static_changed(index);
        }
        Outcome::Applied
    }

    fn static_changed(&mut self, index: u64) {
        self.statics_changed_index = index;
        self.renderings.invalidate_statics();
    }
}
