package shop.app;

import jakarta.inject.Named;
import shop.base.Base;

@Deprecated
@Named("日本語 𝒳")
public class Orders extends Base {
}
