#include "bridge/catalogue.h"

#include <utility>

#include "bridge/credentials/oauth2.h"

namespace orbridge {

AdapterCatalogue adapter_catalogue(AdaptersApi& adapters_api, Sources& sources) {
    AdapterCatalogue catalogue;
    catalogue.forms = [&adapters_api] {
        AdapterForm oauth2;
        oauth2.adapter = kOAuth2;
        oauth2.title = "OAuth 2";
        oauth2.description = "Client credentials, or a refresh token, of sources with `oauth2`";
        oauth2.credentials = oauth2_fields();
        auto forms = adapters_api.forms();
        forms.push_back(std::move(oauth2));
        return forms;
    };
    catalogue.test = [&adapters_api, &sources](const CredentialName& which, const Secret& values,
                                               const std::string& config) {
        if (which.adapter != kOAuth2) return adapters_api.try_out(which, values, config);
        return sources.test_credentials(which, values, config);
    };
    catalogue.users = [&adapters_api, &sources](const std::string& adapter, const std::string& name) {
        auto users = adapters_api.users(adapter, name);
        const auto asking = sources.users_of(adapter, name);
        users.insert(users.end(), asking.begin(), asking.end());
        return users;
    };
    return catalogue;
}

std::vector<std::string> kept_for(const CredentialBook& book, const std::string& adapter) {
    const auto rows = book.all();
    if (!rows) return {"credentials in the store, " + rows.error().message};
    std::vector<std::string> names;
    for (const auto& row : *rows)
        if (row.adapter == adapter) names.push_back("credentials " + row.name + '@' + row.scope);
    return names;
}

}  // namespace orbridge
