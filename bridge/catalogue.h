#pragma once

#include <string>
#include <vector>

#include "bridge/api/adapters_api.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/catalogue.h"
#include "bridge/sources.h"

namespace orbridge {

/// Of the adapters, and of what of an adapter's kind comes with the program itself: logging in at sources. Both must
/// outlive it.
AdapterCatalogue adapter_catalogue(AdaptersApi& adapters_api, Sources& sources);
/// Each as `credentials main@global`. What cannot be read may be one.
std::vector<std::string> kept_for(const CredentialBook& book, const std::string& adapter);

}  // namespace orbridge
