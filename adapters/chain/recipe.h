#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/chain/settings.h"
#include "bridge/deliver/recipe.h"

namespace orbridge::chain {

/// Does several tasks of other targets for each event, one after the other (integrations.md T3). Each step, and each
/// step of a task that has several itself, is an attempt of the delivery: what it brought is stored with the delivery
/// before the next begins, and a retry goes on where it failed, over restarts too. What is repeated at a step, and what
/// not, is what its adapter says.
class ChainRecipe final : public Recipe {
public:
    explicit ChainRecipe(ChainSettings settings);

    std::shared_ptr<const Recipe> for_attempt(const Delivery& delivery, const std::string& route) const override;
    // The same as by for_attempt(), anew each time.
    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;
    Outcome outcome_on(const Delivery& delivery, const std::string& route, const HttpResponse& response) const override;
    /// Some step of it does.
    bool blocks(const std::string& route) const override;
    std::string shown(std::string text) const override;
    bool has_stored_credentials() const override;
    /// The tests of the targets that its steps are of.
    std::vector<TestStep> test(Transport& transport) const override;

private:
    const Steps& steps_on(const std::string& route) const;
    /// Of all routes, each target once.
    std::vector<const Step*> places() const;

    const ChainSettings settings_;
};

}  // namespace orbridge::chain
