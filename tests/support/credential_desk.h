#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "bridge/credentials/book.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge::test {

/// A book of credentials over a store in memory, under one master key; what it logs is kept.
struct CredentialDesk {
    ManualClock clock;
    SeededRandom random{1};
    IdMaker ids{clock, random};
    std::vector<std::string> lines;
    Log log{clock, Log::Level::Debug, [this](const std::string& line) { lines.push_back(line); }};
    MemoryStore store;
    Vault vault{{Secret(std::string(32, '\x01'))}, random};
    CredentialBook book{store, vault, clock, ids, log};
};

inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace orbridge::test
