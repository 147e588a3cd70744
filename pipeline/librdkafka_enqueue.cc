#include "pipeline/librdkafka_enqueue.h"

#include <array>

#include "pipeline/librdkafka_handle.h"

namespace pipeline::rdkafka {
namespace {

/// librdkafka reads the bytes only, but its interface says void*. A null pointer is a null value.
void* Data(const std::optional<std::string_view>& bytes) {
  if (!bytes) return nullptr;
  return const_cast<char*>(bytes->empty() ? "" : bytes->data());
}

size_t Size(const std::optional<std::string_view>& bytes) { return bytes ? bytes->size() : 0; }

}  // namespace

rd_kafka_resp_err_t Enqueue(rd_kafka_t* producer, const Enqueued& record) {
  if (record.headers == nullptr || record.headers->empty()) {
    if (rd_kafka_produce(record.topic, record.partition.value, RD_KAFKA_MSG_F_COPY,
                         Data(record.value), Size(record.value), Data(record.key), Size(record.key),
                         record.opaque) == 0) {
      return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return rd_kafka_last_error();
  }

  Owned<rd_kafka_headers_t, rd_kafka_headers_destroy> headers(
      rd_kafka_headers_new(record.headers->size()));
  for (const auto& [name, content] : *record.headers) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()),
                        content ? content->data() : nullptr,
                        content ? static_cast<ssize_t>(content->size()) : 0);
  }
  std::array<rd_kafka_vu_t, 7> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[0].u.rkt = record.topic;
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = record.partition.value;
  fields[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[2].u.i = RD_KAFKA_MSG_F_COPY;
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[3].u.mem = {Data(record.value), Size(record.value)};
  fields[4].vtype = RD_KAFKA_VTYPE_KEY;
  fields[4].u.mem = {Data(record.key), Size(record.key)};
  fields[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[5].u.ptr = record.opaque;
  fields[6].vtype = RD_KAFKA_VTYPE_HEADERS;
  fields[6].u.headers = headers.get();
  const Error error(rd_kafka_produceva(producer, fields.data(), fields.size()));
  if (error != nullptr) return rd_kafka_error_code(error.get());
  static_cast<void>(headers.release());  // the record's now
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace pipeline::rdkafka
