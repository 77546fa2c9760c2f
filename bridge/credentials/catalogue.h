#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bridge/core/result.h"
#include "bridge/core/secret.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/fields.h"

namespace orbridge {

/// What an adapter asks for.
struct AdapterForm {
    std::string adapter;
    std::string title, description;
    Fields credentials;
    Fields config{};  ///< what a target says besides
};

/// What became of trying credentials out. Nothing changes on the other side by it.
struct CredentialTest {
    bool success = false;
    bool refused = false;  ///< no success, and the other side refused the credentials themselves
    std::string message;   ///< for people; holds no secret
};

/// What is known of adapters by those who keep their credentials. The functions are called from any thread.
struct AdapterCatalogue {
    /// Of all adapters that have credentials, by name.
    std::function<std::vector<AdapterForm>()> forms;
    /// Tries complete and valid values out, and waits for the other side. `config` is a JSON object with what a target
    /// would say besides; empty: they are kept ones, to be tried where the target or source that uses them sends
    /// them, and nowhere else, or whoever may test could have them sent to himself. NotFound: no such adapter.
    /// Invalid: `config` is wrong, or nobody uses them and the adapter needs to know where to.
    std::function<Result<CredentialTest>(const CredentialName& which, const Secret& values, const std::string& config)>
        test;
    /// Which targets and sources use credentials of this name in any scope: `target on-object`, `source cloud`.
    std::function<std::vector<std::string>(const std::string& adapter, const std::string& name)> users;
};

}  // namespace orbridge
