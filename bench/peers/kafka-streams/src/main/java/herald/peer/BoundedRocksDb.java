package herald.peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * All stores of the process share one block cache, and their memtables count against it: what Kafka's
 * memory management guide advises. By default each store has 50 MB of cache and 48 MB of memtables.
 */
public final class BoundedRocksDb implements RocksDBConfigSetter {
  static final String CACHE_BYTES = "peer.rocksdb.cache.bytes";

  /** Of the cache, for memtables. */
  private static final double MEMTABLES_PART = 0.5;

  private static final long MEMTABLE_BYTES = 8L << 20;
  private static final int MEMTABLES_MAX = 3;
  private static final int BLOCK_BYTES = 16 << 10;
  private static final int FILTER_BITS_PER_KEY = 10;

  private static Cache cache;
  private static WriteBufferManager memtables;

  private BloomFilter filter;

  /** For Kafka Streams, which makes one for each store. */
  public BoundedRocksDb() {}

  @Override
  public void setConfig(String storeName, Options options, Map<String, Object> configs) {
    share(Long.parseLong(configs.get(CACHE_BYTES).toString()));
    filter = new BloomFilter(FILTER_BITS_PER_KEY);
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(cache);
    table.setCacheIndexAndFilterBlocks(true);
    table.setCacheIndexAndFilterBlocksWithHighPriority(true);
    table.setPinL0FilterAndIndexBlocksInCache(true);
    table.setPinTopLevelIndexAndFilter(true);
    table.setFilterPolicy(filter);
    table.setBlockSize(BLOCK_BYTES);
    options.setTableFormatConfig(table);
    options.setWriteBufferManager(memtables);
    options.setWriteBufferSize(MEMTABLE_BYTES);
    options.setMaxWriteBufferNumber(MEMTABLES_MAX);
  }

  @Override
  public void close(String storeName, Options options) {
    // Not the cache and the manager: the other stores have them, too.
    filter.close();
  }

  private static synchronized void share(long bytes) {
    if (cache == null) {
      // No strict limit, with which writes would fail; a tenth for indexes and filters.
      cache = new LRUCache(bytes, -1, false, 0.1);
      memtables = new WriteBufferManager((long) (bytes * MEMTABLES_PART), cache);
    }
  }
}
