# Splits lines, with Storm's adapter for Ruby.

require_relative "storm"

class SplitBolt < Storm::Bolt
  def process(tuple)
    tuple.values[0].split.each { |word| emit([word], anchor: tuple) }
    ack tuple
  end
end

SplitBolt.new.run
