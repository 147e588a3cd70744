// Compiled by ctest, once so that it is accepted and once so that it is refused.
#include "pipeline/topology.h"

struct Apple {};
struct Pear {};

template <>
struct pipeline::Serde<Apple> {
  base::Result<Apple> Decode(const RawRecord&) { return Apple{}; }
};

class PeelApple : public pipeline::Processor<Apple, Pear> {
 public:
  base::Status Process(pipeline::Record<Apple>, pipeline::Context<Pear>&) override {
    return base::Status::Ok();
  }
};

void Build() {
  pipeline::TopologyBuilder builder;
  auto pears = builder.Source<Apple>("decode-apple", "apples").Process<PeelApple>("peel-apple");
#ifdef HERALD_refuses
  pears.Process<PeelApple>("peel-again");
#endif
  (void)pears;
}
