//! Every legal word through every transition.
