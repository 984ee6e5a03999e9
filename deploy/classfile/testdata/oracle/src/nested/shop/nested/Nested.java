package shop.nested;

public class Nested extends shop.base.Base {
}
