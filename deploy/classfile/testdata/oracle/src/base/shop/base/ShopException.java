package shop.base;

public abstract class ShopException extends java.io.IOException {
    public static class NoSuchOrder extends ShopException {
    }

    public static class Odd extends java.sql.SQLWarning {
    }

    public static class NoException extends Object {
    }
}
