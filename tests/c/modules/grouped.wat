;; Imports of types that stand in groups, or may have types below them.
(module
  (rec (type $unary (func (param i32) (result i32))) (type (struct (field i32))))
  (rec (type $carries (func (param i32))) (type (struct)))
  (import "host" "unary" (func $unary (type $unary)))
  (import "host" "tag" (tag $tag (type $carries)))
  (export "f" (func $unary))
  (export "t" (tag $tag))
  (func (export "run") (type $unary) (call $unary (local.get 0))))
