#pragma once

#include <string>
#include <vector>

namespace orbridge::nextcloud {

/// What `classes: [default]`, or no classes at all, means for a source of type nextcloud: events that say
/// what has happened and whose payload stays small. Nextcloud cannot queue a payload over 4000 bytes and
/// then fails the user's save, so events with open-ended content (calendar entries, table rows, cards,
/// forms, announcements) are only registered when they are asked for.
const std::vector<std::string>& default_classes();

/// What `classes: [all]` means: every class of Nextcloud and its apps known to be made for webhooks, but
/// for BeforeNodeReadEvent (every read of every file) and those that never fire (abstract ones, MapperEvent).
const std::vector<std::string>& all_classes();

}  // namespace orbridge::nextcloud
