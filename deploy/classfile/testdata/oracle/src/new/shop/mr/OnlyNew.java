package shop.mr;

public class OnlyNew extends shop.base.Base {
}
