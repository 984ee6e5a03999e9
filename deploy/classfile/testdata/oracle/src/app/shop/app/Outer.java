package shop.app;

import jakarta.batch.api.chunk.ItemProcessor;
import jakarta.inject.Inject;
import jakarta.inject.Named;
import shop.base.Base;

public class Outer {
    @Named
    public static class Inner extends Base {
    }

    @Named("$dollar")
    protected static class Protected extends Base {
    }

    private static class Hidden extends Base {
        private Hidden() {
        }
    }

    public class NeedsOuter extends Base {
    }

    public static class Injected extends Base {
        private final String name;

        @Inject
        Injected(@Named("x") String name) {
            this.name = name;
        }
    }

    public enum Upper implements ItemProcessor {
        ONE;

        public Object processItem(Object item) {
            return item;
        }
    }

    public record Doubled(int times) implements ItemProcessor {
        public Object processItem(Object item) {
            return times;
        }
    }

    static class Package$Dollar extends Base {
    }

    Base anonymous() {
        @Named
        class Local extends Base {
        }
        return new Local() {
        };
    }
}
