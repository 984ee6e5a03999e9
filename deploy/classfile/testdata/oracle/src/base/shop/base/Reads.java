package shop.base;

import jakarta.batch.api.chunk.ItemReader;

public interface Reads<T> extends ItemReader {
    T next();
}
